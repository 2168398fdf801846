"""Text to syntax tree by the grammar, and the words for what does not follow it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from lark import Lark, Token, UnexpectedCharacters, UnexpectedToken

from vivace.errors import QueryError
from vivace.traceql.builder import TreeBuilder, syntax_error
from vivace.traceql.limits import MAX_NESTING
from vivace.traceql.tree import Attribute, IntrinsicField, Query

_SHOWN_AS_NAME: Final = frozenset({"ATTRIBUTE", "DURATION", "FLOAT", "IDENTIFIER", "INTEGER", "STRING"})
_SPELLINGS: Final = {"$END": "$end", "NIL": "nil", "DIVIDE": "/"}
_MOST_EXPECTED: Final = 4
_LONGEST_EXCERPT: Final = 40


def query(text: str) -> Query:
    """The tree of a whole query."""
    tree = _parse(text, "query")
    assert isinstance(tree, Query)  # noqa: S101 - the rule makes nothing else
    return tree


def identifier(text: str) -> Attribute | IntrinsicField:
    """The attribute or intrinsic that the text names."""
    field = _parse(text, "identifier")
    assert isinstance(field, Attribute | IntrinsicField)  # noqa: S101 - the rule makes nothing else
    return field


def _parse(text: str, start: str) -> object:
    try:
        return _grammar().parse(text, start)
    except UnexpectedToken as error:
        raise _unexpected_token(text, error) from None
    except UnexpectedCharacters as error:
        position = error.pos_in_stream or 0
        line, column = _place(text, position)
        raise syntax_error(_unexpected_text(text[position:]), line, column) from None


@cache
def _grammar() -> Lark:
    source = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        source,
        parser="lalr",
        lexer="basic",
        start=["query", "identifier"],
        transformer=TreeBuilder(),
        postlex=_BracketLimit(),
    )


class _BracketLimit:
    """Stands between lexer and parser, and refuses brackets that are nested too deeply."""

    always_accept = ()

    def process(self, tokens: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        for token in tokens:
            if token.type in {"LPAR", "LBRACE"}:
                depth += 1
                if depth > MAX_NESTING:
                    message = f"brackets are nested more than {MAX_NESTING} levels deep"
                    raise syntax_error(message, token.line or 0, token.column or 0)
            elif token.type in {"RPAR", "RBRACE"}:
                depth -= 1
            yield token


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _unexpected_token(text: str, error: UnexpectedToken) -> QueryError:
    token = error.token
    line, column = _place(text, len(text) if token.type == "$END" else token.start_pos or 0)
    expected = error.accepts or set()
    if token.type == "IDENTIFIER" and "ATTRIBUTE" in expected:
        return syntax_error(f"unknown identifier: {_excerpt(token)}", line, column)
    message = f"syntax error: unexpected {_shown(token)}"
    if 0 < len(expected) <= _MOST_EXPECTED:
        message += f", expecting {' or '.join(sorted(map(_spelling, expected)))}"
    return syntax_error(message, line, column)


def _shown(token: Token) -> str:
    if token.type in _SHOWN_AS_NAME or token.type == "$END":
        return _SPELLINGS.get(token.type, token.type)
    return _excerpt(token)


def _spelling(terminal: str) -> str:
    """A keyword or operator as it is written, any other token by its name."""
    if terminal in _SPELLINGS or terminal in _SHOWN_AS_NAME:
        return _SPELLINGS.get(terminal, terminal)
    pattern = _grammar().get_terminal(terminal).pattern
    return str(pattern.value) if pattern.type == "str" else terminal


def _unexpected_text(rest: str) -> str:
    if rest.startswith(('"', "`")):
        return "literal not terminated"
    if rest.startswith("/*"):
        return "comment not terminated"
    if rest.startswith("'"):
        return f"unknown identifier: {_excerpt(rest.split(maxsplit=1)[0])}"
    return f"syntax error: unexpected {rest[0]!r}"


def _excerpt(text: str) -> str:
    return str(text) if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]}…"
