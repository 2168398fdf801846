"""What it costs a querier to know which traces are spread over several units: at its start, and when units come and go.

Live: segments of 0.15 s each, of traces whose spans arrive over two seconds, every eight of which become one.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from vivace.backend.query.catalogue import Catalogue
from vivace.backend.query.memory import Memory
from vivace.backend.query.search import SearchRequest, search
from vivace.backend.store.decode import decode
from vivace.backend.store.merge import merge
from vivace.backend.store.tables import Tables
from vivace.backend.store.unit import Unit
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

MEMORY = 1 << 30
PERIOD_NS = 150_000_000
SPREAD = 13
"""Over so many segments the spans of a trace arrive."""
SPANS = 20
LATEST = 1_700_000_000 * 10**9


def main() -> None:
    """Prints a line of JSON for each figure."""
    for units, traces in ((60, 1000), (1001, 20)):
        shared = [tables((trace, unit) for trace in range(traces)) for unit in range(units)]
        started = time.perf_counter()
        views = catalogue([Unit.in_memory(one) for one in shared]).visible()
        took = (time.perf_counter() - started) * 1000
        say("start", took, "ms", units=units, shared_traces=traces, views=len(views))
    live()


def say(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"name": f"catalogue_{name}", "value": round(value, 3), "unit": unit, **more}), flush=True)


def catalogue(units: list[Unit]) -> Catalogue:
    return Catalogue(lambda: tuple(units), Memory(MEMORY))


def live() -> None:
    asked = parse("{ } | count() > 5").root
    assert isinstance(asked, Pipeline)
    units: list[Unit] = []
    held: list[Tables] = []
    books, took = catalogue(units), []
    for number, spans in enumerate(arriving(segments=80, traces_each=150)):
        held.append(tables(spans))
        units.append(Unit.in_memory(held[-1]))
        if number % 8 == 7:
            held[-8:] = [merge(held[-8:])]
            units[-8:] = [Unit.in_memory(held[-1])]
        started = time.perf_counter()
        books.visible()
        renewed = time.perf_counter()
        search(books.visible(), SearchRequest(asked))
        took.append(((renewed - started) * 1000, (time.perf_counter() - renewed) * 1000))
    for name, times in zip(("renewal", "search_after_renewal"), np.array(took[SPREAD:]).T, strict=True):
        for share in (50, 99):
            say(f"{name}_p{share}", float(np.quantile(times, share / 100)), "ms", spans_per_segment=150 * SPANS)


def arriving(segments: int, traces_each: int) -> list[list[tuple[int, int]]]:
    """By segment the spans that arrive: trace and number."""
    draw = random.Random(7)  # noqa: S311 - a sample, no secret
    parts: list[list[tuple[int, int]]] = [[] for _ in range(segments + SPREAD)]
    for trace in range(segments * traces_each):
        for number in range(SPANS):
            parts[trace // traces_each + draw.randrange(SPREAD)].append((trace, number))
    return parts[:segments]


def tables(spans: Iterable[tuple[int, int]]) -> Tables:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.extend(span(trace, number) for trace, number in spans)
    return decode([request.SerializeToString()])


def span(trace: int, number: int) -> Span:
    start = LATEST + trace * PERIOD_NS // 150 + number * 10**6
    made = Span(
        trace_id=random.Random(trace).randbytes(16),  # noqa: S311 - the same for the same trace
        span_id=(trace * 10_000 + number + 1).to_bytes(8, "big"),
        parent_span_id=(trace * 10_000 + 1).to_bytes(8, "big") if number else b"",
        name=f"operation {number}",
        start_time_unix_nano=start,
        end_time_unix_nano=start + 10**6,
    )
    for key in range(8):
        made.attributes.add(key=f"key{key}").value.string_value = f"value {number * key % 7}"
    return made


if __name__ == "__main__":
    main()
