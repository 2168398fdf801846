"""Text for terminals that may know no colour, no width and no Unicode."""

from __future__ import annotations

from typing import Final

PLAIN: Final = str.maketrans(
    {"\u00a0": " ", "✓": "+", "✕": "x", "·": "-", "…": "~", "≠": "!=", "µ": "u", "\N{EN DASH}": "-"}
)


def printable(text: str, encoding: str) -> str:
    """The text as the encoding can show it, in one line, without what moves the cursor or changes colours."""
    shown = "".join(letter if letter.isprintable() or letter == "\u00a0" else " " for letter in text)
    if encoding.lower().replace("-", "").startswith("utf"):
        return shown.replace("\u00a0", " ")
    return shown.translate(PLAIN).encode(encoding, "replace").decode(encoding)
