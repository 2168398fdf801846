"""Regular expressions as TraceQL means them: RE2's, dot matches newlines, and the whole text must match."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from vivace.errors import QueryError

_LONGEST_EXCERPT: Final = 80
_SINGLE_BYTE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\C")  # RE2's, but not of Go's dialect


def anchored(pattern: str) -> str:
    """The expression for an RE2 search that is a whole match."""
    return f"^(?s:{pattern})$"


@lru_cache(maxsize=2048)
def check_regex(pattern: str) -> None:
    """QueryError when RE2 does not take the expression: back-references, look-arounds, brackets without a partner, …"""
    import pyarrow as pa  # noqa: PLC0415 - Arrow carries RE2; it is loaded with the first query that has a regex
    import pyarrow.compute as pc  # noqa: PLC0415

    if _SINGLE_BYTE.search(pattern):
        raise QueryError(f"invalid regex: `{_excerpt(pattern)}`: \\C is not supported")
    for candidate in (pattern, anchored(pattern)):  # the bare one too: `a)(b` would close the group that anchors it
        try:
            pc.match_substring_regex(pa.scalar(""), candidate)
        except pa.ArrowInvalid as error:
            reason = str(error).removeprefix("Invalid regular expression: ")
            raise QueryError(f"invalid regex: `{_excerpt(pattern)}`: {_excerpt(reason)}") from None


def _excerpt(text: str) -> str:
    return text if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]}…"
