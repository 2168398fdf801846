"""Answers that are a whole trace, as protobuf."""

from __future__ import annotations

from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.query.answer import Failed, Failure, Found, FoundTrace, digest_of


def read_trace(body: bytes, trace_id: str) -> Found:
    """The trace in an answer to /api/v2/traces/{id}, which may hold none; Failed when there is another in it."""
    try:
        answer = _TRACE_BY_ID.FromString(body)
    except DecodeError as error:
        raise Failed(Failure.UNREADABLE, f"no trace: {error}") from None
    trace: TracesData = answer.trace  # type: ignore[attr-defined]
    return _checked(trace, trace_id)


def read_trace_v1(body: bytes, trace_id: str) -> Found:
    """The same of an answer to /api/traces/{id}, which is the trace alone."""
    try:
        return _checked(TracesData.FromString(body), trace_id)
    except DecodeError as error:
        raise Failed(Failure.UNREADABLE, f"no trace: {error}") from None


def _checked(trace: TracesData, trace_id: str) -> Found:
    wanted = bytes.fromhex(trace_id.rjust(32, "0"))
    spans = [span for part in trace.resource_spans for scope in part.scope_spans for span in scope.spans]
    for span in spans:
        if span.trace_id.rjust(16, b"\0") != wanted:
            raise Failed(Failure.WRONG, f"trace {trace_id} holds a span of trace {span.trace_id.hex()}")
    ids = tuple(span.span_id.hex() for span in spans)
    seen = (FoundTrace(wanted.hex(), None, ids),) if spans else ()
    return Found(traces=len(seen), spans=len(spans), seen=seen, digest=digest_of(ids))


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
