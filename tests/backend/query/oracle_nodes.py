"""The spans of the oracle: each a node of its trace, with what is around it, and what is told of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from vivace.traceql.tree import FieldExpression, Intrinsic, IntrinsicField, SpansetOperator

NIL = None
STATUS = ("unset", "ok", "error")
KIND = ("unspecified", "internal", "server", "client", "producer", "consumer")
DIGITS = {
    Intrinsic.SPAN_ID: 16,
    Intrinsic.SPAN_PARENT_ID: 16,
    Intrinsic.LINK_SPAN_ID: 16,
    Intrinsic.TRACE_ID: 32,
    Intrinsic.LINK_TRACE_ID: 32,
}
"""Of IDs, at most."""


@dataclass(frozen=True)
class Word:
    """A status or kind, which is no string."""

    type: str
    name: str


@dataclass(frozen=True)
class Valueless:
    """Something that is there but that no comparison knows: bytes, maps, mixed arrays."""


@dataclass(eq=False)
class Node:
    """A span with all that is around it."""

    span: Span
    around: ResourceSpans
    trace: list[Node] = field(default_factory=list)
    left: int = 0
    right: int = 0

    @property
    def parent(self) -> Node | None:
        return next((other for other in self.trace if other.span.span_id == self.span.parent_span_id), None)

    @property
    def rooted(self) -> bool:
        seen: set[int] = set()
        node: Node | None = self
        while node is not None and node.span.parent_span_id:
            if id(node) in seen:
                return False
            seen.add(id(node))
            node = node.parent
        return node is not None

    @property
    def duration(self) -> int:
        return self.span.end_time_unix_nano - self.span.start_time_unix_nano


def value_of(value: AnyValue) -> Any:
    """An AnyValue as Python has it."""
    member = value.WhichOneof("value")
    if member in ("string_value", "int_value", "double_value", "bool_value"):
        return getattr(value, str(member))
    if member == "array_value":
        return [value_of(one) for one in value.array_value.values]
    return Valueless()


def attributes_of(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {one.key: value_of(one.value) for one in attributes}


def nodes(data: Sequence[ResourceSpans]) -> list[list[Node]]:
    """The spans by trace, in the order of their start."""
    traces: dict[bytes, list[Node]] = {}
    for around in data:
        span = around.scope_spans[0].spans[0]
        traces.setdefault(span.trace_id, []).append(Node(span, around))
    for trace in traces.values():
        trace.sort(key=lambda node: node.span.start_time_unix_nano)
        for node in trace:
            node.trace = trace
        _number(trace)
    return list(traces.values())


def _number(trace: list[Node]) -> None:
    counter = 0

    def walk(node: Node) -> None:
        nonlocal counter
        counter += 1
        node.left = counter
        for child in (other for other in trace if other.parent is node and other.span.parent_span_id):
            walk(child)
        counter += 1
        node.right = counter

    for node in trace:
        if not node.span.parent_span_id:
            walk(node)


def intrinsic(asked: Intrinsic, node: Node, child: Any) -> Any:
    roots = [one for one in node.trace if not one.span.parent_span_id]
    root = max(roots, key=lambda one: (one.span.start_time_unix_nano, one.span.span_id), default=None)
    start = min(one.span.start_time_unix_nano for one in node.trace)
    readers: dict[Intrinsic, Callable[[], Any]] = {
        Intrinsic.SPAN_DURATION: lambda: node.duration,
        Intrinsic.SPAN_NAME: lambda: node.span.name,
        Intrinsic.SPAN_STATUS: lambda: Word("status", STATUS[node.span.status.code]),
        Intrinsic.SPAN_KIND: lambda: Word("kind", KIND[node.span.kind]),
        Intrinsic.SPAN_CHILD_COUNT: lambda: sum(other.parent is node for other in node.trace),
        Intrinsic.NESTED_SET_LEFT: lambda: node.left,
        Intrinsic.NESTED_SET_PARENT: lambda: _nested_parent(node),
        Intrinsic.TRACE_DURATION: lambda: max(one.span.end_time_unix_nano for one in node.trace) - start,
        Intrinsic.SPAN_ID: node.span.span_id.hex,
        Intrinsic.SPAN_PARENT_ID: lambda: node.span.parent_span_id.hex() or "0" * 16,
        Intrinsic.TRACE_ID: lambda: node.span.trace_id.hex().lstrip("0"),
        Intrinsic.LINK_TRACE_ID: lambda: child.trace_id.hex().lstrip("0"),
        Intrinsic.LINK_SPAN_ID: lambda: f"{child.span_id.hex():0>16}",
        Intrinsic.TRACE_ROOT_SERVICE: lambda: "" if root is None else service(root),
        Intrinsic.INSTRUMENTATION_VERSION: lambda: node.around.scope_spans[0].scope.version,
        Intrinsic.EVENT_TIME_SINCE_START: lambda: child.time_unix_nano - node.span.start_time_unix_nano,
        Intrinsic.TRACE_ROOT_NAME: lambda: "" if root is None else root.span.name,
        Intrinsic.EVENT_NAME: lambda: child.name,
        Intrinsic.INSTRUMENTATION_NAME: lambda: node.around.scope_spans[0].scope.name,
    }
    return readers[asked]()


def spelt(asked: FieldExpression, value: Any) -> Any:
    """What an ID is to equal: an ID that is written otherwise as a search writes it."""
    digits = DIGITS.get(asked.intrinsic) if isinstance(asked, IntrinsicField) else None
    if digits is None or not isinstance(value, str) or not re.fullmatch(f"[0-9a-fA-F]{{1,{digits}}}", value):
        return value
    return value.lower().rjust(16, "0") if digits == 16 else value.lower().lstrip("0") or "0"


def service(node: Node) -> str:
    found = attributes_of(node.around.resource.attributes).get("service.name")
    return found if isinstance(found, str) else ""


def _nested_parent(node: Node) -> int:
    if not node.rooted:
        return 0
    return node.parent.left if node.span.parent_span_id and node.parent else -1


def related(relation: SpansetOperator, left: Node, right: Node) -> bool:
    """Whether `right` is a child, parent, … of `left`, as the operator between them says."""
    if not (left.rooted and right.rooted):
        return False
    if relation is SpansetOperator.CHILD:
        return bool(right.span.parent_span_id) and right.parent is left
    if relation is SpansetOperator.PARENT:
        return related(SpansetOperator.CHILD, right, left)
    if relation is SpansetOperator.DESCENDANT:
        return left.left < right.left and right.right < left.right
    if relation is SpansetOperator.ANCESTOR:
        return related(SpansetOperator.DESCENDANT, right, left)
    return left is not right and _nested_parent(left) == _nested_parent(right)
