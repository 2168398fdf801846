"""The syntax tree of TraceQL: what the parser makes and everything else reads.

Three layers, as in the language: field expressions judge one span, spanset expressions select spans of a trace, and a
pipeline passes spansets through stages. A metrics query ends a pipeline with an aggregate over time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """Where an attribute is looked up; NONE searches span, resource, event, link, instrumentation in that order."""

    NONE = ""
    SPAN = "span"
    RESOURCE = "resource"
    EVENT = "event"
    LINK = "link"
    INSTRUMENTATION = "instrumentation"
    PARENT = "parent"


class Intrinsic(StrEnum):
    """A property that every span or trace has, by its scoped name; short names are spellings of the same."""

    SPAN_DURATION = "span:duration"
    SPAN_NAME = "span:name"
    SPAN_KIND = "span:kind"
    SPAN_STATUS = "span:status"
    SPAN_STATUS_MESSAGE = "span:statusMessage"
    SPAN_ID = "span:id"
    SPAN_PARENT_ID = "span:parentID"
    SPAN_CHILD_COUNT = "span:childCount"
    NESTED_SET_LEFT = "nestedSetLeft"
    NESTED_SET_RIGHT = "nestedSetRight"
    NESTED_SET_PARENT = "nestedSetParent"
    PARENT = "parent"
    TRACE_DURATION = "trace:duration"
    TRACE_ROOT_NAME = "trace:rootName"
    TRACE_ROOT_SERVICE = "trace:rootService"
    TRACE_ID = "trace:id"
    EVENT_NAME = "event:name"
    EVENT_TIME_SINCE_START = "event:timeSinceStart"
    LINK_TRACE_ID = "link:traceID"
    LINK_SPAN_ID = "link:spanID"
    INSTRUMENTATION_NAME = "instrumentation:name"
    INSTRUMENTATION_VERSION = "instrumentation:version"


class StaticType(StrEnum):
    """The type of a literal, or of an expression as far as it is known before data is seen."""

    NIL = "nil"
    INT = "int"
    FLOAT = "float"
    STRING = "string"
    BOOL = "bool"
    DURATION = "duration"
    STATUS = "status"
    KIND = "kind"
    ATTRIBUTE = "attribute"


class Operator(StrEnum):
    """Operators of field expressions."""

    AND = "&&"
    OR = "||"
    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    REGEX = "=~"
    NOT_REGEX = "!~"
    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"
    POWER = "^"
    NOT = "!"
    NEGATE = "negate"


class SpansetOperator(StrEnum):
    """The 17 operators between spansets; a structural one returns its right side, a union one both sides."""

    AND = "&&"
    OR = "||"
    CHILD = ">"
    PARENT = "<"
    DESCENDANT = ">>"
    ANCESTOR = "<<"
    SIBLING = "~"
    NOT_CHILD = "!>"
    NOT_PARENT = "!<"
    NOT_DESCENDANT = "!>>"
    NOT_ANCESTOR = "!<<"
    NOT_SIBLING = "!~"
    UNION_CHILD = "&>"
    UNION_PARENT = "&<"
    UNION_DESCENDANT = "&>>"
    UNION_ANCESTOR = "&<<"
    UNION_SIBLING = "&~"


@dataclass(frozen=True, slots=True)
class Static:
    """A literal. `value`: None, int, float, str, bool; nanoseconds for a duration; the name for a status or kind."""

    type: StaticType
    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the data; with Scope.PARENT, `parent_scope` says where on the parent span."""

    scope: Scope
    name: str
    parent_scope: Scope = Scope.NONE


@dataclass(frozen=True, slots=True)
class IntrinsicField:
    """An intrinsic, with the spelling that the query used (answers name it so)."""

    intrinsic: Intrinsic
    spelling: str


@dataclass(frozen=True, slots=True)
class Unary:
    """NOT or NEGATE of a field expression."""

    operator: Operator
    operand: FieldExpression


@dataclass(frozen=True, slots=True)
class Binary:
    """Two field expressions with an operator between them. `x = nil` keeps its Static nil."""

    operator: Operator
    left: FieldExpression
    right: FieldExpression


FieldExpression = Static | Attribute | IntrinsicField | Unary | Binary


@dataclass(frozen=True, slots=True)
class SpansetFilter:
    """`{ expression }`; `{ }` has Static true."""

    expression: FieldExpression


@dataclass(frozen=True, slots=True)
class SpansetOperation:
    """Two spanset expressions with an operator between them."""

    operator: SpansetOperator
    left: SpansetExpression
    right: SpansetExpression


@dataclass(frozen=True, slots=True)
class GroupBy:
    """`by(expression)`."""

    expression: FieldExpression


@dataclass(frozen=True, slots=True)
class Coalesce:
    """`coalesce()`."""


@dataclass(frozen=True, slots=True)
class Select:
    """`select(field, …)`."""

    fields: tuple[Attribute | IntrinsicField, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`count()`, `min(e)`, `max(e)`, `avg(e)` or `sum(e)` over the spans of a spanset."""

    function: str
    expression: FieldExpression | None = None


@dataclass(frozen=True, slots=True)
class ScalarOperation:
    """Arithmetic over aggregates and literals."""

    operator: Operator
    left: ScalarExpression
    right: ScalarExpression


ScalarExpression = Static | Aggregate | ScalarOperation


@dataclass(frozen=True, slots=True)
class ScalarFilter:
    """`aggregate OP literal`: keeps the spansets for which it holds."""

    operator: Operator
    left: ScalarExpression
    right: ScalarExpression


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages through which spansets pass, from left to right; also a spanset expression when in parentheses."""

    stages: tuple[Stage, ...]


SpansetExpression = SpansetFilter | SpansetOperation | Pipeline
Stage = SpansetFilter | SpansetOperation | Pipeline | GroupBy | Coalesce | Select | ScalarFilter


@dataclass(frozen=True, slots=True)
class MetricsAggregate:
    """The first metrics stage. `function`: rate, count_over_time, min_over_time, …, histogram_over_time."""

    function: str
    field: Attribute | IntrinsicField | None = None
    by: tuple[Attribute | IntrinsicField, ...] = ()
    quantiles: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """`compare({selection}, top_n, start, end)`; start and end are Unix nanoseconds, 0 when absent."""

    selection: SpansetFilter
    top_n: int = 10
    start_ns: int = 0
    end_ns: int = 0


@dataclass(frozen=True, slots=True)
class TopBottom:
    """`topk(n)` or `bottomk(n)`, judged at every point in time."""

    function: str
    limit: int


@dataclass(frozen=True, slots=True)
class SeriesFilter:
    """A comparison that drops points of series."""

    operator: Operator
    value: Static


SecondStage = TopBottom | SeriesFilter


@dataclass(frozen=True, slots=True)
class MetricsPipeline:
    """A pipeline that ends in an aggregate over time."""

    pipeline: Pipeline
    aggregate: MetricsAggregate | Compare
    second_stages: tuple[SecondStage, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricsOperation:
    """Arithmetic between metrics queries, or with a number."""

    operator: Operator
    left: MetricsExpression
    right: MetricsExpression
    second_stages: tuple[SecondStage, ...] = ()


MetricsExpression = MetricsPipeline | MetricsOperation | Static


@dataclass(frozen=True, slots=True)
class Hint:
    """`name=value` of `with(…)`."""

    name: str
    value: Static


@dataclass(frozen=True, slots=True)
class Query:
    """A whole TraceQL text: a search when `root` is a Pipeline, else a metrics query."""

    root: Pipeline | MetricsPipeline | MetricsOperation
    hints: tuple[Hint, ...] = field(default=())

    @property
    def is_metrics(self) -> bool:
        """Whether the answer is series over time rather than spansets."""
        return not isinstance(self.root, Pipeline)
