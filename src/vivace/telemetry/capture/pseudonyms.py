"""Replaces texts, numbers and bytes by others of the same shape: consistently, and distinct ones by distinct ones."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final

from vivace.telemetry.capture.permutation import Permutation
from vivace.telemetry.capture.shape import CLASSES, FIXED, Shape, shape

LARGEST: Final = (1 << 63) - 1
EXACT: Final = (1 << 53) - 1
"""Up to here a float holds every whole number."""
SIGNIFICANT: Final = re.compile(r"[1-9][0-9.]*")
"""Where a written float has digits that matter."""
LONGEST_REMEMBERED: Final = 256
REMEMBERED: Final = 1 << 16
"""So many texts of up to so many characters are remembered, for speed alone."""


class Pseudonyms:
    """A pure function of the key and the value; equal words become equal words, in whichever texts they stand."""

    def __init__(self, key: bytes) -> None:
        """`key` has 1 to 64 bytes."""
        self._words = Permutation(key)
        self._short_text = lru_cache(REMEMBERED)(self._text)

    def text(self, text: str) -> str:
        """Another text of the same shape: words are replaced, separators and public words stay."""
        return self._short_text(text) if len(text) <= LONGEST_REMEMBERED else self._text(text)

    def integer(self, value: int, largest: int = LARGEST) -> int:
        """Another number with the same sign and as many digits, at most `largest`."""
        digits = str(abs(value))
        classes = "9" + "0" * (len(digits) - 1) if len(digits) > 1 else "0"
        while True:  # ends, as in _text
            digits = self._words.replaced(digits, classes)
            if int(digits) <= largest:
                return int(digits) if value >= 0 else -int(digits)

    def floating(self, value: float) -> float:
        """Another number with the same sign and as many digits; a whole one stays whole."""
        if not math.isfinite(value):
            return value
        if value.is_integer() and abs(value) <= EXACT:
            return math.copysign(self.integer(int(abs(value)), EXACT), value)
        written = repr(value)
        significant = SIGNIFICANT.search(written)
        if significant is None:
            return value
        start, stop = significant.span()
        classes = f"{FIXED * start}9{written[start + 1 : stop].translate(CLASSES)}{FIXED * (len(written) - stop)}"
        while True:  # ends, as in _text
            written = self._words.replaced(written, classes)
            if repr(float(written)) == written:
                return float(written)

    def data(self, data: bytes) -> bytes:
        """As many other bytes."""
        return self._words.replaced(data.decode("latin-1"), "b" * len(data)).encode("latin-1")

    def _text(self, text: str) -> str:
        own = shape(text)
        replaced = text
        while True:  # ends, since a permutation that is applied again and again comes back to where it began
            replaced = self._once(replaced, own)
            if shape(replaced) == own:
                return replaced

    def _once(self, text: str, own: Shape) -> str:
        parts, at = [], 0
        for start, stop in own.words:
            parts += [text[at:start], self._words.replaced(text[start:stop], own.classes[start:stop])]
            at = stop
        return "".join([*parts, text[at:]])
