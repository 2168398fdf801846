"""The entrance of the language: a text becomes a valid syntax tree, or a QueryError that says where it is not."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from vivace.errors import QueryError
from vivace.traceql.limits import MAX_BYTES
from vivace.traceql.tree import Attribute, IntrinsicField, Query

_REMEMBERED_CHARACTERS: Final = 4096


def parse(text: str) -> Query:
    """The syntax tree of a valid query; QueryError otherwise."""
    return _remembered(text) if len(text) <= _REMEMBERED_CHARACTERS else _parse(text)


def parse_syntax(text: str) -> Query:
    """The syntax tree of a text that follows the grammar, whether or not it is valid otherwise."""
    from vivace.traceql import syntax  # noqa: PLC0415 - the grammar is loaded with the first query

    return syntax.query(_checked(text))


@lru_cache(maxsize=1024)
def parse_identifier(text: str) -> Attribute | IntrinsicField:
    """The attribute or intrinsic that `resource.service.name`, `.name`, `span:name` or `status` names."""
    from vivace.traceql import syntax  # noqa: PLC0415 - as above

    return syntax.identifier(_checked(text))


def _parse(text: str) -> Query:
    return parse_syntax(text)


_remembered = lru_cache(maxsize=2048)(_parse)


def _checked(text: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise QueryError(f"TraceQL expression is not valid Unicode at character {error.start + 1}") from None
    if size > MAX_BYTES:
        raise QueryError(f"TraceQL expression exceeds the maximum size of {MAX_BYTES} bytes, it has {size}")
    return text
