"""The messages of Tempo's gRPC service `tempopb.StreamingQuerier`, described here and made into classes on import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.common.v1 import common_pb2

PACKAGE: Final = "tempopb"
SERVICE: Final = "tempopb.StreamingQuerier"

_MESSAGES: Final[Mapping[str, str]] = {
    "SearchRequest": "map:string Tags 1, uint32 MinDurationMs 2, uint32 MaxDurationMs 3, uint32 Limit 4,"
    " uint32 start 5, uint32 end 6, string Query 8, uint32 SpansPerSpanSet 9",
    "SearchResponse": "*TraceSearchMetadata traces 1, SearchMetrics metrics 2",
    "TraceSearchMetadata": "string traceID 1, string rootServiceName 2, string rootTraceName 3,"
    " uint64 startTimeUnixNano 4, uint32 durationMs 5, SpanSet spanSet 6, *SpanSet spanSets 7,"
    " map:ServiceStats serviceStats 8",
    "ServiceStats": "uint32 spanCount 1, uint32 errorCount 2",
    "SpanSet": "*Span spans 1, uint32 matched 2, *KeyValue attributes 3",
    "Span": "string spanID 1, string name 2, uint64 startTimeUnixNano 3, uint64 durationNanos 4,"
    " *KeyValue attributes 5",
    "SearchMetrics": "uint32 inspectedTraces 1, uint64 inspectedBytes 2, uint32 totalBlocks 3, uint32 completedJobs 4,"
    " uint32 totalJobs 5, uint64 totalBlockBytes 6, uint64 inspectedSpans 7",
    "MetadataMetrics": "uint64 inspectedBytes 1, uint32 totalJobs 2, uint32 completedJobs 3, uint32 totalBlocks 4,"
    " uint64 totalBlockBytes 5",
    "SearchTagsRequest": "string scope 1, string query 2, uint32 start 3, uint32 end 4, uint32 maxTagsPerScope 5,"
    " uint32 staleValuesThreshold 6",
    "SearchTagsResponse": "*string tagNames 1, MetadataMetrics metrics 2",
    "SearchTagsV2Response": "*SearchTagsV2Scope scopes 1, MetadataMetrics metrics 2",
    "SearchTagsV2Scope": "string name 1, *string tags 2",
    "SearchTagValuesRequest": "string tagName 1, string query 2, uint32 start 4, uint32 end 5, uint32 maxTagValues 6,"
    " uint32 staleValueThreshold 7",
    "SearchTagValuesResponse": "*string tagValues 1, MetadataMetrics metrics 2",
    "SearchTagValuesV2Response": "*TagValue tagValues 1, MetadataMetrics metrics 2",
    "TagValue": "string type 1, string value 2",
    "QueryRangeRequest": "string query 1, uint64 start 2, uint64 end 3, uint64 step 4, string queryMode 7,"
    " uint32 exemplars 16, uint32 maxSeries 17",
    "QueryRangeResponse": "*TimeSeries series 1, SearchMetrics metrics 2, PartialStatus status 3, string message 4",
    "TimeSeries": "*KeyValue labels 1, *Sample samples 2, string prom_labels 3, *Exemplar exemplars 4",
    "Sample": "double value 1, int64 timestamp_ms 2",
    "Exemplar": "*KeyValue labels 1, double value 2, int64 timestamp_ms 3",
    "QueryInstantRequest": "string query 1, uint64 start 2, uint64 end 3",
    "QueryInstantResponse": "*InstantSeries series 1, SearchMetrics metrics 2, PartialStatus status 3,"
    " string message 4",
    "InstantSeries": "*KeyValue labels 1, double value 2, string prom_labels 3",
}
"""By message its fields: type (`*` repeated, `map:` from string), name, number."""

_SCALARS: Final = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
}
_STATUS: Final = "PartialStatus"


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="vivace/tempopb.proto", package=PACKAGE, syntax="proto3")
    file.dependency.append(common_pb2.DESCRIPTOR.name)
    status = file.enum_type.add(name=_STATUS)
    for number, name in enumerate(("COMPLETE", "PARTIAL")):
        status.value.add(name=name, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields.split(", "):
            kind, field_name, number_text = field.split()
            _add_field(message, kind, field_name, int(number_text))
    return file


def _add_field(message: DescriptorProto, kind: str, name: str, number: int) -> None:
    field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if kind.startswith("map:"):
        entry = message.nested_type.add(name=f"{name[0].upper()}{name[1:]}Entry")
        entry.options.map_entry = True
        _add_field(entry, "string", "key", 1)
        _add_field(entry, kind.removeprefix("map:"), "value", 2)
        kind = f"*{message.name}.{entry.name}"
    if kind.startswith("*"):
        field.label = FieldDescriptorProto.LABEL_REPEATED
    _set_type(field, kind.removeprefix("*"))


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    elif kind == _STATUS:
        field.type, field.type_name = FieldDescriptorProto.TYPE_ENUM, f".{PACKAGE}.{kind}"
    else:
        own = kind != "KeyValue"
        package = PACKAGE if own else common_pb2.DESCRIPTOR.package
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{package}.{kind}"


def _classes() -> Mapping[str, type[Message]]:
    pool = DescriptorPool()
    pool.AddSerializedFile(common_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(_file().SerializeToString())
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES}


MESSAGES: Final = _classes()
"""The classes by the message's name."""


def message(name: str, document: Mapping[str, object]) -> Message:
    """An answer of the HTTP API as a message.

    Points, of which there may be a million, are added one by one, in an eighth of the time that the library takes.
    """
    series = cast("Sequence[Mapping[str, Any]]", document.get("series", ()))
    bare = [{key: value for key, value in one.items() if key != "samples"} for one in series]
    made = ParseDict({**document, "series": bare} if series else dict(document), MESSAGES[name]())
    for filled, one in zip(getattr(made, "series", ()), series, strict=True):
        for sample in one.get("samples", ()):
            filled.samples.add(value=float(sample["value"]), timestamp_ms=int(sample["timestampMs"]))
    return made
