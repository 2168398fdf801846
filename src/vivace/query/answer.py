"""What a target answered: read, and checked for what no correct backend answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.query.bucket import Window

TRACE_ID: Final = re.compile(r"(?=[0-9a-fA-F]*[1-9a-fA-F])[0-9a-fA-F]{1,32}")
SLACK_NS: Final = 2_000_000_000
"""How far outside the window a trace may lie: targets and their indexes round to seconds."""


class Failure(StrEnum):
    """Why a query failed, as in the ledger."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    STATUS = "status"
    UNREADABLE = "unreadable"
    WRONG = "wrong"


class Failed(Exception):
    """A query that failed, and why; it becomes an Answer where the request was made."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class Found(NamedTuple):
    """What is in a good answer."""

    traces: int
    spans: int
    """Those that came with the answer; a search returns only some of a trace's."""
    inspected_spans: int | None = None
    """How much the target looked at, by its own account."""
    first: str | None = None
    """The ID of the first trace, in hex."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a request, good or not."""

    ended_ns: int
    """Unix; when the last byte was there, or no more was waited for."""
    status: int | None
    size: int
    """Bytes of the body, decompressed, as far as it came."""
    found: Found | None = None
    """None when it failed."""
    failure: Failure | None = None
    message: str | None = None


def read_search(body: bytes, window: Window, limit: int) -> Found:
    """The result in an answer to a search; Failed when it is none, or cannot be right."""
    try:
        answer = json.loads(body)
        traces = [_found_trace(trace) for trace in answer.get("traces") or ()]
        inspected = (answer.get("metrics") or {}).get("inspectedSpans")
        inspected_spans = None if inspected is None else int(inspected)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Failed(Failure.UNREADABLE, f"no answer to a search: {type(error).__name__}: {error}") from None
    if len(traces) > limit:
        raise Failed(Failure.WRONG, f"{len(traces)} traces, although the limit is {limit}")
    for trace in traces:
        _check_trace(trace, window)
    first = traces[0].trace_id if traces else None
    return Found(len(traces), sum(trace.spans for trace in traces), inspected_spans, first)


def read_trace(body: bytes, trace_id: str) -> Found:
    """The trace in an answer to /api/v2/traces/{id}; Failed when there is another in it, or none."""
    try:
        answer = _TRACE_BY_ID.FromString(body)
    except DecodeError as error:
        raise Failed(Failure.UNREADABLE, f"no trace: {error}") from None
    trace: TracesData = answer.trace  # type: ignore[attr-defined]
    return _check_spans(trace, trace_id)


def read_trace_v1(body: bytes, trace_id: str) -> Found:
    """The same of an answer to /api/traces/{id}, which is the trace alone."""
    try:
        return _check_spans(TracesData.FromString(body), trace_id)
    except DecodeError as error:
        raise Failed(Failure.UNREADABLE, f"no trace: {error}") from None


class _FoundTrace(NamedTuple):
    trace_id: str
    start_ns: int | None
    duration_ns: int
    spans: int


def _found_trace(trace: dict[str, object]) -> _FoundTrace:
    start = trace.get("startTimeUnixNano")
    sets = trace.get("spanSets") or ([trace["spanSet"]] if trace.get("spanSet") else [])
    if not isinstance(sets, list):
        raise TypeError("spanSets is no list")
    return _FoundTrace(
        str(trace["traceID"]),
        None if start is None else int(str(start)),
        int(str(trace.get("durationMs", 0))) * 1_000_000,
        sum(len(spanset.get("spans") or ()) for spanset in sets),
    )


def _check_trace(trace: _FoundTrace, window: Window) -> None:
    if not TRACE_ID.fullmatch(trace.trace_id):
        raise Failed(Failure.WRONG, f"'{trace.trace_id[:64]}' is no trace ID")
    if trace.start_ns is None:
        return
    before = window.start_s * 10**9 - (trace.start_ns + trace.duration_ns)
    after = trace.start_ns - window.end_s * 10**9
    if max(before, after) > SLACK_NS:
        raise Failed(Failure.WRONG, f"trace {trace.trace_id} lies {max(before, after) / 1e9:.1f} s outside the window")


def _check_spans(trace: TracesData, trace_id: str) -> Found:
    wanted = bytes.fromhex(trace_id.rjust(32, "0"))
    spans = [span for part in trace.resource_spans for scope in part.scope_spans for span in scope.spans]
    if not spans:
        raise Failed(Failure.WRONG, f"trace {trace_id} was found, but has no spans")
    for span in spans:
        if span.trace_id.rjust(16, b"\0") != wanted:
            raise Failed(Failure.WRONG, f"trace {trace_id} holds a span of trace {span.trace_id.hex()}")
    return Found(1, len(spans))


def _trace_by_id_response() -> type[Message]:
    """Tempo's message of that name, as far as it is read here: the trace is its field 1."""
    file = descriptor_pb2.FileDescriptorProto(
        name="vivace/trace_by_id.proto",
        package="vivace",
        syntax="proto3",
        dependency=[TracesData.DESCRIPTOR.file.name],
    )
    message = file.message_type.add(name="TraceByIDResponse")
    message.field.add(
        name="trace",
        number=1,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
        label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
        type_name=f".{TracesData.DESCRIPTOR.full_name}",
    )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("vivace.TraceByIDResponse"))


_TRACE_BY_ID: Final = _trace_by_id_response()
