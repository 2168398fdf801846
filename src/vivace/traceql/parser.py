"""The entrance of the language: a text becomes a valid syntax tree, or a QueryError that says where it is not."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from vivace.traceql.limits import check_size
from vivace.traceql.tree import Query
from vivace.traceql.validation import validate

_REMEMBERED_CHARACTERS: Final = 4096


def parse(text: str) -> Query:
    """The syntax tree of a valid query; QueryError otherwise."""
    return _remembered(text) if len(text) <= _REMEMBERED_CHARACTERS else _parse(text)


def parse_syntax(text: str) -> Query:
    """The syntax tree of a text that follows the grammar, whether or not it is valid otherwise."""
    from vivace.traceql import syntax  # noqa: PLC0415 - the grammar is loaded with the first query

    check_size(text)
    return syntax.query(text)


def _parse(text: str) -> Query:
    query = parse_syntax(text)
    validate(query)
    return query


_remembered = lru_cache(maxsize=2048)(_parse)
