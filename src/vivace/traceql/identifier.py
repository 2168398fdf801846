"""The name of one field, as an address or a configuration gives it, to the field."""

from __future__ import annotations

from functools import lru_cache

from vivace.traceql.limits import check_size
from vivace.traceql.tree import Attribute, IntrinsicField
from vivace.traceql.validation import validate_field


@lru_cache(maxsize=1024)
def parse_identifier(text: str) -> Attribute | IntrinsicField:
    """What `resource.service.name`, `.name`, `span:name` or `status` names; QueryError when it names nothing."""
    from vivace.traceql import syntax  # noqa: PLC0415 - the grammar is loaded when it is first needed

    check_size(text)
    field = syntax.identifier(text)
    validate_field(field)
    return field
