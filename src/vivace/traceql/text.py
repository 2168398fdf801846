"""Syntax tree to canonical text, which the parser makes into the same tree: for messages, labels and built queries."""

from __future__ import annotations

import re
from functools import singledispatch
from typing import Final

from vivace.traceql.literals import MIN_INT
from vivace.traceql.tree import (
    Aggregate,
    Attribute,
    Binary,
    Coalesce,
    Compare,
    GroupBy,
    Hint,
    IntrinsicField,
    MetricsAggregate,
    MetricsOperation,
    MetricsPipeline,
    Operator,
    Pipeline,
    Query,
    ScalarFilter,
    ScalarOperation,
    Scope,
    Select,
    SeriesFilter,
    SpansetFilter,
    SpansetOperation,
    Static,
    StaticType,
    TopBottom,
    Unary,
)

_NEEDS_QUOTES: Final = re.compile(r'[\s{}()=~!<>&|^,"\\]')
_LEAVES: Final = (Static, Attribute, IntrinsicField, Aggregate, SpansetFilter)
_SECOND: Final = 1_000_000_000
_NAME_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"'})
_STRING_ESCAPES: Final = _NAME_ESCAPES | str.maketrans({"\n": "\\n", "\r": "\\r"})


@singledispatch
def text(node: object) -> str:
    """The TraceQL of any node of the tree; operands that are operations themselves are in parentheses."""
    raise TypeError(f"not a node of a TraceQL tree: {node!r}")


def _operand(node: object) -> str:
    return text(node) if isinstance(node, _LEAVES) else f"({text(node)})"


def _infix(node: Binary | SpansetOperation | ScalarOperation | ScalarFilter | MetricsOperation) -> str:
    return f"{_operand(node.left)} {node.operator} {_operand(node.right)}"


def _call(function: str, *arguments: object) -> str:
    return f"{function}({', '.join(map(text, arguments))})"


for _operation in (Binary, SpansetOperation, ScalarOperation, ScalarFilter):
    text.register(_operation, _infix)


@text.register
def _(node: Query) -> str:
    return text(node.root) + (f" with({', '.join(map(text, node.hints))})" if node.hints else "")


@text.register
def _(node: Hint) -> str:
    return f"{node.name}={text(node.value)}"


@text.register
def _(node: Pipeline) -> str:
    return " | ".join(_operand(stage) if isinstance(stage, Pipeline) else text(stage) for stage in node.stages)


@text.register
def _(node: GroupBy) -> str:
    return _call("by", node.expression)


@text.register
def _(node: Coalesce) -> str:  # noqa: ARG001 - the type alone says it
    return _call("coalesce")


@text.register
def _(node: Select) -> str:
    return _call("select", *node.fields)


@text.register
def _(node: SpansetFilter) -> str:
    return f"{{ {text(node.expression)} }}"


@text.register
def _(node: Aggregate) -> str:
    return _call(node.function) if node.expression is None else _call(node.function, node.expression)


@text.register
def _(node: Unary) -> str:
    return f"{'-' if node.operator is Operator.NEGATE else node.operator}{_operand(node.operand)}"


@text.register
def _(node: MetricsPipeline) -> str:
    return " ".join([text(node.pipeline), "|", text(node.aggregate), *map(text, node.second_stages)])


@text.register
def _(node: MetricsOperation) -> str:
    return " ".join([_infix(node), *map(text, node.second_stages)])


@text.register
def _(node: MetricsAggregate) -> str:
    arguments = () if node.field is None else (node.field, *(Static(StaticType.FLOAT, q) for q in node.quantiles))
    return _call(node.function, *arguments) + (f" {_call('by ', *node.by)}" if node.by else "")


@text.register
def _(node: Compare) -> str:
    limits = [node.top_n, node.start_ns, node.end_ns]
    return _call("compare", node.selection, *(Static(StaticType.INT, limit) for limit in limits))


@text.register
def _(node: TopBottom) -> str:
    return f"| {node.function}({node.limit})"


@text.register
def _(node: SeriesFilter) -> str:
    return f"{node.operator} {text(node.value)}"


@text.register
def _(node: IntrinsicField) -> str:
    return node.spelling


@text.register
def _(node: Attribute) -> str:
    prefix = f"{node.scope}." + (f"{node.parent_scope}." if node.parent_scope else "")
    return prefix + (f'"{node.name.translate(_NAME_ESCAPES)}"' if _ambiguous(node) else node.name)


@text.register
def _(node: Static) -> str:
    match node.type:
        case StaticType.NIL:
            return "nil"
        case StaticType.BOOL:
            return "true" if node.value else "false"
        case StaticType.STRING:
            return _string(str(node.value))
        case StaticType.FLOAT:
            return repr(node.value)
        case StaticType.DURATION:
            return duration_text(int(node.value or 0))
        case _:
            return "minInt" if node.value == MIN_INT else str(node.value)


def duration_text(nanoseconds: int) -> str:
    """`1h0m2.5s`, `1.5ms`, `0s`: as Go writes a duration."""
    if nanoseconds < 0:
        return f"-{duration_text(-nanoseconds)}"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if 0 < nanoseconds < min(size * 1000, _SECOND):
            return f"{_decimal(nanoseconds, size)}{unit}"
    minutes, rest = divmod(nanoseconds, 60 * _SECOND)
    seconds = f"{_decimal(rest, _SECOND)}s"
    if not minutes:
        return seconds
    return f"{minutes // 60}h{minutes % 60}m{seconds}" if minutes >= 60 else f"{minutes}m{seconds}"


def _decimal(value: int, size: int) -> str:
    whole, fraction = divmod(value, size)
    digits = f"{fraction:0{len(str(size)) - 1}d}".rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)


def _string(value: str) -> str:
    return f'"{value.translate(_STRING_ESCAPES)}"' if "`" in value or "\r" in value else f"`{value}`"


def _ambiguous(node: Attribute) -> bool:
    """Whether the name, without quotes, would be read as something else."""
    if node.scope is Scope.NONE and node.name[0].isdecimal():
        return True
    if node.scope is Scope.PARENT and not node.parent_scope and node.name.startswith(("span.", "resource.")):
        return True
    return _NEEDS_QUOTES.search(node.name) is not None
