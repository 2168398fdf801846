"""The endpoints that give one trace, in both versions of the API."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from vivace.backend.query.otlp_json import batches_json, dumped
from vivace.backend.query.parameters import depth, flag, search_window, trace_id
from vivace.backend.query.querier import UNREADABLE, Check, TraceAnswer
from vivace.backend.query.queriers import Reading
from vivace.backend.query.representation import PROTOBUF, Work, media_type
from vivace.backend.query.selection import ALL, Selection
from vivace.backend.store.unit import UnitKind
from vivace.errors import QueryError
from vivace.telemetry.capture.wire_fields import delimited

_MODES: Final[Mapping[str, Collection[UnitKind]]] = {
    "all": tuple(UnitKind),
    "ingesters": (UnitKind.SEGMENT,),
    "blocks": (UnitKind.BLOCK,),
    "external": (),
}
"""Where a trace is looked for: what Tempo's ingesters hold are segments here, and there are no other backends."""
_PARTIAL: Final = b"\x18\x01"
"""Field 3, the status: 1."""


def trace_v1(request: Request, reading: Reading) -> Work:
    """GET /api/traces/{id}: the trace, or an error where it cannot be given whole."""
    form, find = media_type(request), _finding(request, reading)

    def work(check: Check) -> Response:
        found = find(check)
        if found.too_large:
            return PlainTextResponse(_too_large(reading), 422)
        if not found.trace.resource_spans:
            return _absent(found)
        if form == PROTOBUF:
            return Response(found.trace.SerializeToString(), media_type=PROTOBUF)
        return Response(b'{"batches":' + batches_json(found.trace, check) + b"}", media_type=form)

    return work


def trace_v2(request: Request, reading: Reading) -> Work:
    """GET /api/v2/traces/{id}: as much of the trace as can be given, and whether that is all."""
    form, find = media_type(request), _finding(request, reading, _selection(request.query_params))

    def work(check: Check) -> Response:
        found = find(check)
        missing = _too_large(reading) if found.too_large else UNREADABLE if found.unreadable else ""
        if form == PROTOBUF:
            return Response(_message(found.trace, missing), media_type=PROTOBUF)
        spans = b'"resourceSpans":' + batches_json(found.trace, check) if found.trace.resource_spans else b""
        rest = dumped({"metrics": {}} | ({"status": "PARTIAL", "message": missing} if missing else {}))
        return Response(b'{"trace":{' + spans + b"}," + rest[1:].encode(), media_type=form)

    return work


def _finding(request: Request, reading: Reading, selection: Selection | None = None) -> Callable[[Check], TraceAnswer]:
    identity = trace_id(request.path_params["trace_id"])
    search_window(request.query_params)
    kinds = _kinds(request.query_params.get("mode") or "all")
    return lambda check: reading.querier.trace(identity, check, selection, reading.trace_bytes, kinds)


def _kinds(mode: str) -> Collection[UnitKind]:
    if mode not in _MODES:
        raise QueryError(f"invalid value for mode {mode}")
    return _MODES[mode]


def _selection(given: Mapping[str, str]) -> Selection | None:
    """What is wanted of a trace; None is all. Without `q` the rest is checked, and does nothing."""
    above = depth(given, "ancestor_depth", ALL)
    ancestors = above if flag(given, "keep_hierarchy") else 0
    descendants = depth(given, "match_depth", 0)
    query = given.get("q", "")
    return Selection(query, ancestors, descendants) if query else None


def _absent(found: TraceAnswer) -> Response:
    if found.unreadable:
        return PlainTextResponse(f"the trace is not in what can be read now: {UNREADABLE}", 500)
    return Response(status_code=404)


def _too_large(reading: Reading) -> str:
    return f"trace exceeds max size (max bytes: {reading.trace_bytes})"


def _message(trace: TracesData, missing: str) -> bytes:
    """TraceByIDResponse: the trace, and what is missing of it as the fields status and message."""
    partial = _PARTIAL + delimited(4, missing.encode()) if missing else b""
    return delimited(1, trace.SerializeToString()) + partial
