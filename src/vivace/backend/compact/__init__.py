"""Compaction: makes many blocks few, and lets those go that are older than is wanted."""

from typing import Final

NICENESS: Final = 10
"""Whoever takes in spans or answers queries goes first, at the start as well."""
