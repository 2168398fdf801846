"""Bounds that keep every later walk of the tree within the stack, and a query within reason."""

from typing import Final

MAX_BYTES: Final = 131_072
"""Length of a query's text in UTF-8."""

MAX_NESTING: Final = 200
"""How deep brackets, and the syntax tree, may be nested."""

LONGEST_CHAIN: Final = 64
"""`a || b || …` leans to the left up to this many terms; a longer chain is balanced, so that the tree stays flat."""
