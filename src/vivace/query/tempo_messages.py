"""The messages of Tempo's streaming search, as far as they are used here, built from their field numbers."""

from __future__ import annotations

from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

Field = descriptor_pb2.FieldDescriptorProto
STRING: Final = Field.TYPE_STRING
UINT32: Final = Field.TYPE_UINT32
UINT64: Final = Field.TYPE_UINT64

MESSAGES: Final[dict[str, tuple[tuple[str, int, int | str, bool], ...]]] = {
    # name: (field, number, type or name of a message, repeated)
    "SearchRequest": (
        ("limit", 4, UINT32, False),
        ("start", 5, UINT32, False),
        ("end", 6, UINT32, False),
        ("query", 8, STRING, False),
        ("spans_per_span_set", 9, UINT32, False),
    ),
    "Span": (("span_id", 1, STRING, False),),
    "SpanSet": (("spans", 1, "Span", True), ("matched", 2, UINT32, False)),
    "Trace": (
        ("trace_id", 1, STRING, False),
        ("start_time_unix_nano", 4, UINT64, False),
        ("duration_ms", 5, UINT32, False),
        ("span_set", 6, "SpanSet", False),
        ("span_sets", 7, "SpanSet", True),
    ),
    "SearchMetrics": (("inspected_spans", 7, UINT64, False),),
    "SearchResponse": (("traces", 1, "Trace", True), ("metrics", 2, "SearchMetrics", False)),
}
PACKAGE: Final = "vivace.tempo"


def _build() -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(name="vivace/tempo_search.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                added.type = kind  # type: ignore[assignment]
    pool = descriptor_pool.Default()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


_CLASSES: Final = _build()
SearchRequest: Final = _CLASSES["SearchRequest"]
SearchResponse: Final = _CLASSES["SearchResponse"]
