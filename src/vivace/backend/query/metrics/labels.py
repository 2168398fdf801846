"""How series name what they are grouped by."""

from __future__ import annotations

from typing import Final

from vivace.backend.query.shown import label
from vivace.traceql.text import text
from vivace.traceql.tree import Attribute, Intrinsic, IntrinsicField

_SHORT: Final = {
    Intrinsic.SPAN_NAME: "name",
    Intrinsic.SPAN_DURATION: "duration",
    Intrinsic.TRACE_DURATION: "traceDuration",
    Intrinsic.TRACE_ROOT_NAME: "rootName",
    Intrinsic.TRACE_ROOT_SERVICE: "rootServiceName",
}


def series_label(field: Attribute | IntrinsicField) -> str:
    """The name of the label that a group's value has."""
    if isinstance(field, Attribute):
        return text(field)
    return _SHORT.get(field.intrinsic) or label(field)
