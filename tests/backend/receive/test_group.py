from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.receive.answer import Cause, NotTaken, Taken
from vivace.backend.receive.group import checked
from vivace.backend.receive.live_traces import LiveTraces
from vivace.backend.store.decode import arrange
from vivace.backend.store.log import payload_of
from vivace.backend.store.log_record import batch_of
from vivace.backend.store.otlp import Refused, count_spans
from vivace.backend.tenant.limits import Limits

LIMITED = Limits.model_validate(
    {
        "ingestion": {"max_attribute_bytes": 3, "max_traces_per_user": 1000},
        "global": {"max_spans_per_trace": 4, "max_bytes_per_trace": 500},
    }
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=4),
    st.sampled_from([Limits(), LIMITED]),
)
def test_whatever_comes_is_taken_or_refused(edits: list[tuple[int, bytes, int]], limits: Limits) -> None:
    body = request(1)
    for place, put, cut in edits:
        body = body[:place] + put + body[place + cut :]
    part = checked([request(2), body, request(3)], "tenant", limits, LiveTraces())
    assert [type(part.outcomes[place]) for place in (0, 2)] == [Taken, Taken]
    assert part.batch is not None
    taken = sum(outcome.spans for outcome in part.outcomes if isinstance(outcome, Taken))
    assert arrange(batch_of(payload_of(part.batch))).spans.num_rows <= part.batch.spans == taken


def test_each_request_is_told_of_its_own_spans() -> None:
    requests = [request(1, traces=1, spans=3), request(2, traces=1, spans=5), b"\xff", request(2, traces=1, spans=5)]
    part = checked(requests, "tenant", Limits.model_validate({"global": {"max_spans_per_trace": 4}}), LiveTraces())
    first, second, bad, again = part.outcomes
    assert first == Taken(3)
    assert isinstance(bad, NotTaken)
    assert bad.cause is Cause.MALFORMED
    assert isinstance(second, Taken)
    assert isinstance(again, Taken)
    assert (second.spans, second.rejected, again.spans, again.rejected) == (4, 1, 0, 5)
    assert second.message == again.message != ""
    assert part.discarded == {"trace_too_large": 6}
    assert part.batch is not None
    whole = stored_spans(arrange(part.batch))
    assert whole <= sent_spans(requests[:2])
    assert whole.total() == 7


def test_spans_are_counted_without_being_decoded() -> None:
    assert count_spans(request(1, traces=3, spans=5)) == 15
    assert count_spans(b"") == 0
    try:
        count_spans(b"\xff")
    except Refused:
        return
    raise AssertionError("was counted")
