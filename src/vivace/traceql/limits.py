"""Bounds that keep every later walk of the tree within the stack, and a query within reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from vivace.errors import QueryError

Node = TypeVar("Node")

MAX_BYTES: Final = 131_072
"""Length of a query's text in UTF-8."""

MAX_NESTING: Final = 100
"""How deep brackets, and the syntax tree, may be nested."""

LONGEST_CHAIN: Final = 16
"""`a || b || …` leans to the left up to this many terms; a longer chain is balanced, so that the tree stays flat."""


def check_size(text: str) -> None:
    """QueryError when a text is too long, or holds half a surrogate pair."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise QueryError(f"TraceQL expression is not valid Unicode at character {error.start + 1}") from None
    if size > MAX_BYTES:
        raise QueryError(f"TraceQL expression exceeds the maximum size of {MAX_BYTES} bytes, it has {size}")


def balanced(operands: Sequence[Node], join: Callable[[Node, Node], Node]) -> Node:
    """All operands joined in their order, in a tree that is as flat as can be."""
    if len(operands) == 1:
        return operands[0]
    middle = len(operands) // 2
    return join(balanced(operands[:middle], join), balanced(operands[middle:], join))
