"""What a text asks already that is still being typed: the complete ones among the conditions of its filter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from vivace.errors import QueryError
from vivace.traceql.limits import MAX_BYTES
from vivace.traceql.parser import parse
from vivace.traceql.tree import Binary, Pipeline, SpansetFilter, Unary

_MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|`[^`]*(?:`|$)|&&|\|\||[(){}|]', re.DOTALL)
_LEVELS: Final = 8
"""So deep within parentheses conditions are looked for."""


def complete_conditions(text: str) -> Pipeline | None:
    """A filter by those conditions, joined by `&&`, that are complete; None when there are none.

    As in Tempo it is that of one spanset, and what comes after it is not looked at; a text with `||` has none.
    """
    inside = _inside(text) if len(text) <= MAX_BYTES else None
    conditions = [] if inside is None else list(_complete(inside, _LEVELS))
    return _parsed(" && ".join(f"({one}\n)" for one in conditions)) if conditions else None


def _inside(text: str) -> str | None:
    """What stands between the braces of a text that begins with a spanset, and goes on with stages at most."""
    marks = _marks(text)
    head = text[: next((start for start, mark in marks if mark == "|"), len(text))].strip()
    found = [mark for _, mark in _marks(head)]
    if not head.startswith("{") or "||" in found or found.count("{") > 1:
        return None
    if "}" not in found:
        return head[1:]
    return head[1:-1] if found.index("}") == len(found) - 1 and head.endswith("}") else None


def _complete(text: str, levels: int) -> Iterator[str]:
    """The conditions of which each stands for itself, also within parentheses."""
    for term in _terms(text):
        if _grouped(term):
            if levels:
                yield from _complete(term[1:].removesuffix(")"), levels - 1)
        elif _is_condition(term):
            yield term


def _terms(text: str) -> Iterator[str]:
    """What `&&` joins outside of parentheses."""
    first = depth = 0
    for start, mark in _marks(text):
        depth += (mark == "(") - (mark == ")")
        if mark == "&&" and depth == 0:
            yield text[first:start].strip()
            first = start + len(mark)
    yield text[first:].strip()


def _grouped(term: str) -> bool:
    """Whether the parenthesis that a term begins with is closed at its end, or not yet."""
    if not term.startswith("("):
        return False
    depth = 0
    for start, mark in _marks(term):
        depth += (mark == "(") - (mark == ")")
        if depth == 0:
            return start == len(term) - 1
    return True


def _is_condition(term: str) -> bool:
    """A field alone is none: its comparison is still to come."""
    parsed = _parsed(term)
    if parsed is None or len(parsed.stages) != 1:
        return False
    stage = parsed.stages[0]
    return isinstance(stage, SpansetFilter) and isinstance(stage.expression, Binary | Unary)


def _parsed(expression: str) -> Pipeline | None:
    try:
        root = parse(f"{{ {expression}\n}}").root
    except QueryError:
        return None
    return root if isinstance(root, Pipeline) else None


def _marks(text: str) -> list[tuple[int, str]]:
    """Brackets and operators that are no part of strings, and where they stand."""
    found = ((match.start(), match[0]) for match in _MARKS.finditer(text))
    return [(start, mark) for start, mark in found if mark[0] not in '"`']
