"""Spans as facts that can be compared: what was sent against what was read, whatever their order and grouping."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Final, TypeAlias

from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

LONGEST_VALUE: Final = 80
PARTS: Final = ("events", "links")
"""What a span has several of, compared as wholes."""

Fact: TypeAlias = "str | int | bytes | tuple[bytes, ...]"
Facts: TypeAlias = frozenset[tuple[str, Fact]]
"""Everything that is known of one span: its fields, and those of its scope and resource, by name."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How what was read differs from what was sent."""

    sent: int
    found: int
    """Of the spans that were sent; by their IDs."""
    difference: str | None
    """What differs first, once all spans are there."""

    @property
    def complete(self) -> bool:
        return self.found == self.sent


def spans_of(data: bytes, trace_id: bytes) -> list[Facts]:
    """The spans of one trace in OTLP bytes; google.protobuf's DecodeError when they are no OTLP."""
    return [
        frozenset((resource | scope | _span(span)).items())
        for resource, scope, span in _walk(TracesData.FromString(data), trace_id)
    ]


def compare(sent: list[Facts], read: list[Facts], whole: bool = True) -> Comparison:
    """Compares a trace's spans; `whole`: nothing but what was sent may be there."""
    there = Counter(map(_span_id, read))
    wanted = Counter(map(_span_id, sent))
    found = sum(min(count, there[span]) for span, count in wanted.items())
    difference = _difference(sent, read, whole) if found == len(sent) else None
    return Comparison(len(sent), found, difference)


def _difference(sent: list[Facts], read: list[Facts], whole: bool) -> str | None:
    missing, extra = Counter(sent) - Counter(read), Counter(read) - Counter(sent)
    candidates = defaultdict(list)
    for facts in extra:
        candidates[_span_id(facts)].append(facts)
    for facts in missing:
        return _first_field(dict(facts), dict(candidates[_span_id(facts)][0]))
    sent_ids = set(map(_span_id, sent))
    for facts in extra:
        if _span_id(facts) in sent_ids:
            return f"span {_span_id(facts).hex()} is there more than once"
        if whole:
            return f"span {_span_id(facts).hex()} is there but was not sent"
    return None


def _first_field(sent: Mapping[str, Fact], read: Mapping[str, Fact]) -> str:
    fields = [name for name in sorted(sent.keys() | read.keys()) if sent.get(name) != read.get(name)]
    more = f", and {len(fields) - 1} more fields differ" if len(fields) > 1 else ""
    span = _span_id(frozenset(sent.items())).hex()
    return f"span {span}: {_field(fields[0], sent.get(fields[0]), read.get(fields[0]))}{more}"


def _field(name: str, sent: Fact | None, read: Fact | None) -> str:
    if name in PARTS and isinstance(sent, tuple) and isinstance(read, tuple):
        if len(sent) != len(read):
            return f"{len(sent)} {name} were sent and {len(read)} read"
        return f"of its {name} one was read otherwise than it was sent"
    return f"{name} was sent as {_shown(sent)} and read as {_shown(read)}"


def _walk(data: TracesData, trace_id: bytes) -> Iterator[tuple[dict[str, Fact], dict[str, Fact], Span]]:
    for of_resource in data.resource_spans:
        resource: dict[str, Fact] | None = None
        for of_scope in of_resource.scope_spans:
            scope: dict[str, Fact] | None = None
            for span in of_scope.spans:
                if span.trace_id == trace_id:
                    resource = resource or _resource(of_resource)
                    scope = scope or _scope(of_scope)
                    yield resource, scope, span


def _resource(of_resource: ResourceSpans) -> dict[str, Fact]:
    resource: Resource = of_resource.resource
    facts = _fields(resource, "resource.", ("attributes",)) | _attributes("resource.", resource.attributes)
    return facts | {"resource.schema_url": of_resource.schema_url}


def _scope(of_scope: ScopeSpans) -> dict[str, Fact]:
    scope: InstrumentationScope = of_scope.scope
    facts = _fields(scope, "scope.", ("attributes",)) | _attributes("scope.", scope.attributes)
    return facts | {"scope.schema_url": of_scope.schema_url}


def _span(span: Span) -> dict[str, Fact]:
    facts = _fields(span, "", ("attributes", "status", *PARTS)) | _attributes("", span.attributes)
    return facts | {
        "status.code": span.status.code,
        "status.message": span.status.message,
        **{part: tuple(sorted(map(_ordered, getattr(span, part)))) for part in PARTS},
    }


def _fields(message: Message, prefix: str, but: tuple[str, ...]) -> dict[str, Fact]:
    """The message's own fields that are set; those that are not are as good as zero."""
    return {f"{prefix}{field.name}": _fact(value) for field, value in message.ListFields() if field.name not in but}


def _fact(value: object) -> Fact:
    if isinstance(value, str | int | bytes):
        return value
    if isinstance(value, Message):
        return value.SerializeToString(deterministic=True)
    return tuple(_serialized(item) for item in value)  # type: ignore[attr-defined]


def _attributes(prefix: str, attributes: Iterable[KeyValue]) -> dict[str, Fact]:
    """Values by key, of a key that is there several times all of them."""
    values: defaultdict[str, list[bytes]] = defaultdict(list)
    for attribute in attributes:
        values[attribute.key].append(_serialized(attribute.value))
    return {f"{prefix}attribute {key}": tuple(sorted(found)) for key, found in values.items()}


def _ordered(message: Span.Event | Span.Link) -> bytes:
    """An event's or link's bytes, its attributes in the order of their keys."""
    copy = deepcopy(message)
    copy.attributes.sort(key=_serialized)
    return _serialized(copy)


def _serialized(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _span_id(facts: Facts) -> bytes:
    return next((fact for name, fact in facts if name == "span_id" and isinstance(fact, bytes)), b"")


def _shown(fact: Fact | None) -> str:
    if fact is None:
        return "nothing"
    if isinstance(fact, tuple):
        text = " ".join(str(AnyValue.FromString(value)).strip() or "empty" for value in fact)
    else:
        text = fact.hex() if isinstance(fact, bytes) else repr(fact)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
