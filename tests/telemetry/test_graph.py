"""Topologies as a user describes them: what becomes of fan-out, depth, circles, messages, latencies and errors."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.telemetry.otlp import Seen, seen

from vivace.telemetry.generate import TraceSettings, stream_traces
from vivace.telemetry.settings import Sizes
from vivace.telemetry.topology import Topology

Kind = Span.SpanKind
Document = dict[str, Any]


def traces(services: Document, *, count: int = 400, mean: float = 30, **system: object) -> list[dict[bytes, Seen]]:
    """Spans by ID, of each trace."""
    topology = Topology.model_validate_json(json.dumps({"services": services, **system}))
    settings = TraceSettings(traces=count, seed=2, topology=topology, normal=Sizes.normal(mean, mean / 5))
    found: dict[bytes, dict[bytes, Seen]] = defaultdict(dict)
    for part in stream_traces(settings):
        for span in seen(part.payload.tobytes()):
            found[span.span.trace_id][span.span.span_id] = span
    return list(found.values())


def duration(span: Seen) -> int:
    return span.span.end_time_unix_nano - span.span.start_time_unix_nano


def ancestors(span: Seen, trace: dict[bytes, Seen]) -> list[Seen]:
    found = []
    while span.span.parent_span_id:
        span = trace[span.span.parent_span_id]
        found.append(span)
    return found


def of(found: list[dict[bytes, Seen]], service: str, kind: int) -> list[Seen]:
    return [span for trace in found for span in trace.values() if (span.service, span.span.kind) == (service, kind)]


def children(found: list[dict[bytes, Seen]]) -> dict[bytes, list[Seen]]:
    below = defaultdict(list)
    for trace in found:
        for span in trace.values():
            below[span.span.parent_span_id].append(span)
    return below


def test_traces_start_where_the_weights_say() -> None:
    found = traces({"web": {"ingress": 3, "calls": {"db": 1}}, "app": {"ingress": 1}, "db": {}}, count=1000)
    roots = Counter(span.service for trace in found for span in trace.values() if not span.span.parent_span_id)
    assert set(roots) == {"web", "app"}
    assert roots["web"] / 1000 == pytest.approx(0.75, abs=0.05)


def test_edges_are_called_by_weight() -> None:
    found = traces({"web": {"ingress": 1, "calls": {"a": 4, "b": {"weight": 1}, "c": 0}}, "a": {}, "b": {}, "c": {}})
    calls = Counter(span.service for span in (*of(found, "a", 2), *of(found, "b", 2), *of(found, "c", 2)))
    assert calls["a"] / calls.total() == pytest.approx(0.8, abs=0.04)
    assert calls["c"] == 0


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_the_share_of_calls_that_leave_the_service(share: float) -> None:
    services = {"web": {"ingress": 1, "calls": {"leaf": 1}}, "leaf": {"internal": []}}
    found = traces(services, downstream=share)
    steps = Counter(span.span.kind for trace in found for span in trace.values() if span.service == "web")
    left, stayed = steps[Kind.SPAN_KIND_CLIENT], steps[Kind.SPAN_KIND_INTERNAL]
    assert left / (left + stayed) == pytest.approx(share, abs=0.03)


def test_fan_out_calls_several_at_once() -> None:
    services = {"web": {"ingress": 1, "internal": [], "calls": {"leaf": {"fan_out": 4}}}, "leaf": {"internal": []}}
    found = traces(services, mean=33)
    for below in children(found).values():
        calls = sorted(below, key=lambda span: span.span.start_time_unix_nano)
        if calls[0].span.kind != Kind.SPAN_KIND_CLIENT:
            continue
        for first in range(0, len(calls) - 3, 4):
            several = calls[first : first + 4]
            starts = [span.span.start_time_unix_nano for span in several]
            assert max(starts) - min(starts) < min(map(duration, several)) + 1_000_000


def test_fan_out_varies_between_its_bounds() -> None:
    services = {
        "web": {"ingress": 1, "internal": [], "calls": {"leaf": {"fan_out": {"min": 2, "max": 3}}}},
        "leaf": {"internal": []},
    }
    found = traces(services, mean=4, count=1000)
    sizes = Counter((len(trace) - 1) // 2 for trace in found if len(trace) >= 5)
    assert {2, 3} <= set(sizes)


def test_circles_end_at_the_depth() -> None:
    services = {"a": {"ingress": 1, "calls": {"b": 1}}, "b": {"calls": {"a": 1, "b": 0.5}}}
    found = traces(services, depth=5, downstream=0.9, mean=60)
    met: set[int] = set()
    for trace in found:
        for span in trace.values():
            above = [span, *ancestors(span, trace)]
            met.add(sum(each.span.kind == Kind.SPAN_KIND_SERVER for each in above))
    assert max(met) == 5
    assert {"a", "b"} == {span.service for trace in found for span in trace.values()}


def test_where_nothing_can_be_done_a_trace_is_shorter() -> None:
    """Servers that do nothing have no children, and there is only so much that the others can do."""
    services = {"web": {"ingress": 1, "internal": [], "calls": {"leaf": {"topic": "t"}}}, "leaf": {"internal": []}}
    assert {len(trace) % 2 for trace in traces(services)} == {1}
    alone = traces({"web": {"ingress": 1, "internal": []}})
    assert {len(trace) for trace in alone} == {1}


def test_messages_are_consumed_later_and_nobody_waits() -> None:
    services = {
        "shop": {"ingress": 1, "calls": {"mail": {"topic": "orders", "weight": 3}}},
        "mail": {"calls": {"shop": 1}},
    }
    found = traces(services)
    consumed = of(found, "mail", Kind.SPAN_KIND_CONSUMER)
    by_id = {span.span.span_id: span for trace in found for span in trace.values()}
    assert consumed
    assert not of(found, "mail", Kind.SPAN_KIND_SERVER)
    for span in consumed:
        sent = by_id[span.span.parent_span_id]
        assert sent.span.kind == Kind.SPAN_KIND_PRODUCER
        assert sent.attributes["messaging.destination.name"] == "orders"
        assert span.span.start_time_unix_nano >= sent.span.end_time_unix_nano
    assert any(span.service == "shop" and span.span.kind == 2 for span in by_id.values())


def test_latencies_are_log_normal_with_the_given_percentiles() -> None:
    endpoints = {"GET /": {"latency": {"p50": "20ms", "p99": "200ms"}}}
    services = {"web": {"ingress": 1, "internal": [], "endpoints": endpoints}}
    taken = [duration(span) / 1e6 for trace in traces(services, count=20_000, mean=1) for span in trace.values()]
    assert np.percentile(taken, 50) == pytest.approx(20, rel=0.05)
    assert np.percentile(taken, 99) == pytest.approx(200, rel=0.12)
    assert np.std(np.log(taken)) == pytest.approx(np.log(10) / 2.3263, rel=0.03)


def test_a_caller_takes_as_long_as_what_it_waits_for() -> None:
    slow = {"endpoints": {"GET /": {"latency": {"p50": "5s", "p99": "5s"}}}, "internal": []}
    found = traces({"web": {"ingress": 1, "calls": {"slow": 1}, "internal": []}, "slow": slow}, mean=3)
    for trace in found:
        root = next(span for span in trace.values() if not span.span.parent_span_id)
        assert len(trace) == 1 or duration(root) > 5e9


def test_errors_as_often_as_given_and_none_elsewhere() -> None:
    services = {
        "web": {"ingress": 1, "calls": {"db": {"weight": 1, "errors": 0.1}}},
        "db": {"endpoints": {"GET /": {"errors": 0.2}}},
    }
    found = traces(services, errors=0, cascade=0)
    servers = of(found, "db", 2)
    failed = np.mean([span.span.status.code == Status.STATUS_CODE_ERROR for span in servers])
    assert failed == pytest.approx(0.2, abs=0.03)
    own = [span for trace in found for span in trace.values() if span.span.kind == Kind.SPAN_KIND_INTERNAL]
    assert not any(span.span.status.code for span in own)
    clients = of(found, "web", 3)
    failed = np.mean([span.span.status.code == Status.STATUS_CODE_ERROR for span in clients])
    assert failed == pytest.approx(1 - 0.8 * 0.9, abs=0.04)
    assert not any(span.span.status.code == Status.STATUS_CODE_ERROR for span in of(found, "web", 2))


def test_errors_reach_every_caller_when_they_cascade_wholly() -> None:
    services = {"web": {"ingress": 1, "calls": {"db": 1}}, "db": {"endpoints": {"GET /": {"errors": 0.1}}}}
    failures = 0
    for trace in traces(services, errors=0, cascade=1):
        for span in trace.values():
            if span.span.status.code == Status.STATUS_CODE_ERROR:
                failures += 1
                assert all(above.span.status.code == Status.STATUS_CODE_ERROR for above in ancestors(span, trace))
    assert failures


def test_calls_can_depend_on_the_endpoint_and_go_to_one() -> None:
    services = {
        "web": {
            "ingress": 1,
            "endpoints": {"GET /": {"weight": 1}, "POST /orders": {"weight": 1}},
            "calls": {"orders": {"only": ["POST /orders"], "endpoint": "GET /b"}, "pages": {"only": ["GET /"]}},
        },
        "orders": {"endpoints": ["GET /a", "GET /b"]},
        "pages": {},
    }
    entry = {"orders": "POST /orders", "pages": "GET /"}
    for trace in traces(services):
        root = next(span for span in trace.values() if not span.span.parent_span_id)
        for span in trace.values():
            assert span.service == "web" or entry[str(span.service)] == root.span.name
            assert span.service != "orders" or span.span.kind != 2 or span.span.name == "GET /b"


def test_the_system_is_called_as_it_says() -> None:
    found = traces({"web": {"ingress": 1, "calls": {"db": {"topic": "t"}}}, "db": {}}, name="bank", region="mars-1")
    producers = of(found, "web", Kind.SPAN_KIND_PRODUCER)
    assert {span.attributes["server.address"] for span in producers} == {"kafka.bank.svc.cluster.local"}
    assert {span.resource["cloud.region"] for span in producers} == {"mars-1"}
    roots = [span for trace in found for span in trace.values() if not span.span.parent_span_id]
    assert {span.attributes["server.address"] for span in roots} == {"web.bank.example"}
