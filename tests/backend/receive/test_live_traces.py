from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.receive.live_traces import GENERATION_SECONDS, LiveTraces, is_limited
from vivace.backend.receive.span_bytes import span_bytes
from vivace.backend.store.batch import selected
from vivace.backend.store.decode import arrange
from vivace.backend.store.flatten import flatten
from vivace.backend.tenant.limits import Global, Ingestion, Limits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def limits(spans: int = 0, size: int = 0, traces: int = 0) -> Limits:
    return Limits.model_validate(
        {
            "global": Global(max_spans_per_trace=spans, max_bytes_per_trace=size),
            "ingestion": Ingestion(max_traces_per_user=traces),
        }
    )


def written(live: LiveTraces, body: bytes, bounds: Limits, tenant: str = "a") -> list[bool]:
    verdict = live.judge(tenant, flatten([body]), bounds)
    live.written(verdict)
    kept: list[bool] = verdict.kept.tolist()
    return kept


def test_spans_beyond_the_limit_of_a_trace_are_refused_over_requests() -> None:
    live, bounds = LiveTraces(), limits(spans=7)
    assert written(live, request(1, traces=2, spans=5), bounds) == [True] * 10
    again = live.judge("a", flatten([request(1, traces=2, spans=5)]), bounds)
    assert again.kept.tolist() == [True, True, False, False, False] * 2
    assert {reason: int(mask.sum()) for reason, mask in again.refused.items()} == {"trace_too_large": 6}
    trace = flatten([request(1)]).columns["spans"]["trace_hi"][0].as_py().to_bytes(8).hex()
    message = again.explain("trace_too_large", 2)
    assert message.startswith("TRACE_TOO_LARGE: max size of trace (7 spans) exceeded")
    assert trace in message
    assert written(live, request(1, traces=2, spans=5), bounds, tenant="b") == [True] * 10


def test_what_was_not_written_does_not_count() -> None:
    live, bounds = LiveTraces(), limits(spans=5)
    for _ in range(3):
        assert live.judge("a", flatten([request(1)]), bounds).kept.all()


def test_bytes_of_a_trace_are_bounded() -> None:
    sizes = span_bytes(flatten([request(1, traces=1, spans=10)]))
    live = LiveTraces()
    assert written(live, request(1, traces=1, spans=10), limits(size=int(sizes[:4].sum()))) == [True] * 4 + [False] * 6


def test_traces_are_bounded_and_make_room_when_they_are_still() -> None:
    clock = Clock()
    live, bounds = LiveTraces(clock), limits(traces=4)
    assert written(live, request(1), bounds) == [True] * 15
    verdict = live.judge("a", flatten([request(2)]), bounds)
    assert verdict.kept.tolist() == [True] * 5 + [False] * 10
    assert list(verdict.refused) == ["live_traces_exceeded"]
    assert verdict.explain("live_traces_exceeded", 9).startswith("LIVE_TRACES_EXCEEDED: max live traces exceeded for")
    live.written(verdict)
    assert written(live, request(1), bounds) == [True] * 15
    clock.now = GENERATION_SECONDS
    assert written(live, request(1), bounds) == [True] * 15
    assert written(live, request(3), bounds) == [False] * 15
    clock.now = 2 * GENERATION_SECONDS
    assert written(live, request(3), bounds) == [True] * 5 + [False] * 10
    clock.now = 10 * GENERATION_SECONDS
    assert written(live, request(4), bounds) == [True] * 15


def test_memory_is_bounded() -> None:
    live, bounds = LiveTraces(most=20), limits(spans=100)
    for seed in range(30):
        assert all(written(live, request(seed), bounds))
    assert len(live._young) + len(live._old) <= 2 * (20 + 3)


def test_there_is_nothing_to_judge_by_without_limits() -> None:
    assert not is_limited(Limits())
    assert all(is_limited(bounds) for bounds in (limits(spans=1), limits(size=1), limits(traces=1)))


def test_sizes_are_nearly_those_on_the_wire() -> None:
    message = ExportTraceServiceRequest.FromString(request(1))
    on_wire = [span.ByteSize() for span in message.resource_spans[0].scope_spans[0].spans]
    assert np.allclose(span_bytes(flatten([request(1)])), on_wire, rtol=0.2)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.booleans(), min_size=30, max_size=30))
def test_selected_spans_keep_what_belongs_to_them(kept: list[bool]) -> None:
    batch = selected(flatten([request(1), request(2)]), np.array(kept))
    expected = ExportTraceServiceRequest()
    for number, body in enumerate((request(1), request(2))):
        message = ExportTraceServiceRequest.FromString(body)
        spans = message.resource_spans[0].scope_spans[0].spans
        chosen = [span for span, keep in zip(spans, kept[15 * number :], strict=False) if keep]
        del spans[:]
        spans.extend(chosen)
        expected.MergeFrom(message)
    assert batch.spans == sum(kept)
    if any(kept):
        assert stored_spans(arrange(batch)) == sent_spans([expected.SerializeToString()])
