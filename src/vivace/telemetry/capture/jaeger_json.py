"""Traces as Jaeger's API and UI write them: `{"data": [{"traceID", "spans", "processes"}]}`, or one such trace."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from vivace.telemetry.capture.batches import Arguments, Batches, Tags, Value, attributes, taken
from vivace.telemetry.capture.fields import Fields
from vivace.telemetry.capture.identifiers import SPAN_BYTES, TRACE_BYTES, padded
from vivace.telemetry.capture.json_message import INT64, UINT64, binary, boolean, floating, text
from vivace.telemetry.capture.microseconds import interval, moment
from vivace.telemetry.capture.otlp import Telemetry
from vivace.telemetry.capture.refusal import Malformed, shown

SAMPLED: Final = 1
STATUS: Final = {"OK": Status.STATUS_CODE_OK, "ERROR": Status.STATUS_CODE_ERROR}
KINDS: Final = {
    "internal": Span.SPAN_KIND_INTERNAL,
    "server": Span.SPAN_KIND_SERVER,
    "client": Span.SPAN_KIND_CLIENT,
    "producer": Span.SPAN_KIND_PRODUCER,
    "consumer": Span.SPAN_KIND_CONSUMER,
}
VALUES: Final = {
    "string": ("string_value", text),
    "bool": ("bool_value", boolean),
    "int64": ("int_value", INT64),
    "float64": ("double_value", floating),
    "binary": ("bytes_value", binary),
}


def accepts(document: object) -> bool:
    """Whether the document is of this format."""
    if not isinstance(document, dict):
        return False
    data = document.get("data")
    if isinstance(data, list):
        return all(isinstance(trace, dict) and "spans" in trace for trace in data)
    return "traceID" in document and "spans" in document


def read(document: object) -> Iterator[Telemetry]:
    """Its traces, one message each. Raises Malformed."""
    fields = Fields(document)
    yield from fields.each("data", _trace) if "data" in fields else [_trace(fields)]


def _trace(trace: Fields) -> TracesData:
    batches = Batches()
    processes: dict[str, Tags] = {}
    described = trace.optional("processes", Fields, Fields({}))
    trace.each("spans", partial(_add, batches, processes, described))
    return batches.message()


def _add(batches: Batches, processes: dict[str, Tags], described: Fields, span: Fields) -> None:
    tags = dict(span.each("tags", _tag))
    name = taken(tags, "otel.scope.name", "otel.library.name")
    version = taken(tags, "otel.scope.version", "otel.library.version")
    batches.add(_resource(processes, described, span), (name, version), _span(span, tags))


def _resource(processes: dict[str, Tags], described: Fields, span: Fields) -> Tags:
    """Attributes of the span's own process, or of that which it refers to; `processes` keeps what was read."""
    if "process" in span:
        return span.required("process", _process)
    number = span.optional("processID", text, "")
    if number and number not in processes:
        if number not in described:
            raise Malformed(f'processID "{number}" is not among the processes of its trace')
        processes[number] = described.required(number, _process)
    return processes.get(number, {})


def _process(value: object) -> Tags:
    process = Fields(value)
    name = process.optional("serviceName", text, "")
    named: Tags = {"service.name": ("string_value", name)} if name else {}
    return named | dict(process.each("tags", _tag))


def _span(span: Fields, tags: Tags) -> Arguments:
    trace_id = span.required("traceID", _trace_id)
    start, end = interval(span.required("startTime", UINT64), span.optional("duration", INT64, 0))
    parent, links = _references(span, trace_id)
    return {
        "trace_id": trace_id,
        "span_id": span.required("spanID", _span_id),
        "parent_span_id": parent,
        "name": span.optional("operationName", text, ""),
        "kind": KINDS.get(taken(tags, "span.kind").lower(), Span.SPAN_KIND_UNSPECIFIED),
        "trace_state": taken(tags, "w3c.tracestate"),
        "flags": span.optional("flags", INT64, 0) & SAMPLED,
        "start_time_unix_nano": start,
        "end_time_unix_nano": end,
        "status": _status(tags),
        "attributes": attributes(tags),
        "events": span.each("logs", _event),
        "links": links,
    }


def _references(span: Fields, trace_id: bytes) -> tuple[bytes, list[Arguments]]:
    """The parent, which is what the span is a child of in its own trace, else what it follows; the rest are links."""
    references = span.each("references", _reference)
    own = [reference for reference in references if reference[0] == trace_id]
    parent = next((reference for reference in own if reference[2] == "child_of"), own[0] if own else None)
    links = [_link(*reference) for reference in references if reference is not parent]
    return parent[1] if parent else span.optional("parentSpanID", _span_id, b""), links


def _reference(reference: Fields) -> tuple[bytes, bytes, str]:
    kind = reference.optional("refType", text, "CHILD_OF")
    return reference.required("traceID", _trace_id), reference.required("spanID", _span_id), kind.lower()


def _link(trace_id: bytes, span_id: bytes, kind: str) -> Arguments:
    tags = {"opentracing.ref_type": ("string_value", kind)}
    return {"trace_id": trace_id, "span_id": span_id, "attributes": attributes(tags)}


def _status(tags: Tags) -> Arguments:
    """The tag `error` outweighs `otel.status_code`, as in Jaeger."""
    code = STATUS.get(taken(tags, "otel.status_code").upper(), Status.STATUS_CODE_UNSET)
    if tags.get("error") in (("bool_value", True), ("string_value", "true")):
        del tags["error"]
        code = Status.STATUS_CODE_ERROR
    return {"code": code, "message": taken(tags, "otel.status_description")}


def _event(log: Fields) -> Arguments:
    tags = dict(log.each("fields", _tag))
    time = moment(log.required("timestamp", UINT64))
    return {"time_unix_nano": time, "name": taken(tags, "event"), "attributes": attributes(tags)}


def _tag(tag: Fields) -> tuple[str, Value]:
    """Key and typed value, at once where the tag is as usual; most of what is in a capture are tags."""
    try:
        field, convert = VALUES[tag["type"]]  # type: ignore[index]
        return text(tag["key"]), (field, convert(tag["value"]))
    except (KeyError, TypeError, Malformed):
        return _unusual_tag(tag)


def _unusual_tag(tag: Fields) -> tuple[str, Value]:
    """The same, with all that may be wrong told; a type that is not given is that of the value."""
    kind = tag.optional("type", text, "").lower() or tag.required("value", _kind)
    if kind not in VALUES:
        raise Malformed(f"{shown(kind)} is not one of {', '.join(VALUES)}").within("type")
    field, convert = VALUES[kind]
    return tag.required("key", text), (field, tag.required("value", convert))


def _kind(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int64"
        case float():
            return "float64"
    return "string"


def _trace_id(value: object) -> bytes:
    return padded(value, TRACE_BYTES)


def _span_id(value: object) -> bytes:
    return padded(value, SPAN_BYTES)
