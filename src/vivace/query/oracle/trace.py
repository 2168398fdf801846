"""A trace as a query sees it: spans with plain values, their places in the tree, and what is true of the whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

Value: TypeAlias = "str | int | float | bool"
KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES: Final = ("unset", "ok", "error")


class Undecided(Exception):
    """It is beyond this evaluation whether a query selects a span."""


@dataclass(frozen=True, slots=True, eq=False)
class SentSpan:
    """A span with its own attributes, and those of its resource and scope."""

    span: Span
    own: Mapping[str, AnyValue]
    resource: Mapping[str, AnyValue]
    scope_name: str
    scope_version: str
    scope: Mapping[str, AnyValue]

    @property
    def id(self) -> str:
        return self.span.span_id.hex()

    @property
    def duration_ns(self) -> int:
        return self.span.end_time_unix_nano - self.span.start_time_unix_nano


class SentTrace:
    """All spans of one trace."""

    def __init__(self, trace_id: bytes, spans: Iterable[SentSpan]) -> None:
        self.trace_id = trace_id
        self.spans = tuple(spans)

    @cached_property
    def by_id(self) -> Mapping[bytes, SentSpan]:
        return {one.span.span_id: one for one in self.spans}

    @cached_property
    def children(self) -> Mapping[bytes, list[SentSpan]]:
        """By their parent's ID."""
        children: defaultdict[bytes, list[SentSpan]] = defaultdict(list)
        for one in self.spans:
            if one.span.parent_span_id:
                children[one.span.parent_span_id].append(one)
        return children

    @cached_property
    def root(self) -> SentSpan:
        """The only span without a parent; Undecided when there are several or none."""
        roots = [one for one in self.spans if not one.span.parent_span_id]
        if len(roots) != 1:
            raise Undecided(f"the trace has {len(roots)} roots")
        return roots[0]

    @cached_property
    def duration_ns(self) -> int:
        last = max(one.span.end_time_unix_nano for one in self.spans)
        return int(last - min(one.span.start_time_unix_nano for one in self.spans))

    def parent(self, one: SentSpan) -> SentSpan | None:
        """None of a root; Undecided when the parent is not in the trace."""
        if not one.span.parent_span_id:
            return None
        parent = self.by_id.get(one.span.parent_span_id)
        if parent is None:
            raise Undecided("a span's parent is not in the trace")
        return parent

    def ancestors(self, one: SentSpan) -> Iterator[SentSpan]:
        """From its parent to the root."""
        seen = {one.span.span_id}
        while (parent := self.parent(one)) is not None:
            if parent.span.span_id in seen:
                raise Undecided("a span is its own ancestor")
            seen.add(parent.span.span_id)
            yield parent
            one = parent


def traces_of(data: TracesData) -> dict[bytes, list[SentSpan]]:
    """The spans in a request by trace ID."""
    traces: defaultdict[bytes, list[SentSpan]] = defaultdict(list)
    for of_resource in data.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            scope = of_scope.scope
            attributes = _attributes(scope.attributes)
            for span in of_scope.spans:
                own = _attributes(span.attributes)
                traces[span.trace_id].append(SentSpan(span, own, resource, scope.name, scope.version, attributes))
    return traces


def plain(value: AnyValue) -> Value:
    """The value of an attribute; Undecided when it is no scalar."""
    kind = value.WhichOneof("value")
    match kind:
        case "string_value" | "int_value" | "double_value" | "bool_value":
            found: Value = getattr(value, kind)
            return found
        case _:
            raise Undecided(f"an attribute has a value of the kind {kind}")


def _attributes(attributes: Iterable[KeyValue]) -> Mapping[str, AnyValue]:
    return {attribute.key: attribute.value for attribute in attributes}
