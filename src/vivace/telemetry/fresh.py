"""Text that is new in every request: what stands for it in a template, and where replay overwrites it.

In a template each 8 bytes of such text are MARK and five digits, which say its slot among the fresh words of its group
of requests: the same slot gets the same text. No text that people or machines write looks like that.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.telemetry.arrays import Bytes, Numbers
from vivace.telemetry.template import Values

MARK: Final = "␚"
"""The symbol for a substitute; three bytes in UTF-8."""
DIGITS: Final = b"0123456789abcdefghijklmnopqrstuv"
PLACES: Final = 5
MOST_WORDS: Final = len(DIGITS) ** PLACES
"""So many slots can be written."""
WORD: Final = 8
_MARK_BYTES: Final = np.frombuffer(MARK.encode(), np.uint8)
_SHIFTS: Final = 5 * np.arange(PLACES)[::-1]
_DIGIT: Final = np.frombuffer(DIGITS, np.uint8)
_VALUE: Final = np.full(256, -1)
_VALUE[_DIGIT] = np.arange(len(DIGITS))


def placeholders(slots: Numbers) -> Bytes:
    """Texts that stand for fresh ones, (texts, bytes); `slots` are (texts, words of 8 bytes each)."""
    rows, words = slots.shape
    characters = np.empty((rows, words, WORD), np.uint8)
    characters[..., : _MARK_BYTES.size] = _MARK_BYTES
    characters[..., _MARK_BYTES.size :] = _DIGIT[slots[..., None] >> _SHIFTS & (len(DIGITS) - 1)]
    return characters.reshape(rows, words * WORD)


def find(payload: Bytes, start: int, stop: int) -> tuple[Numbers, Numbers]:
    """Where between start and stop the words of placeholders are, and the slots that they say."""
    part = payload[start:stop]
    place = np.flatnonzero(part[: part.size - WORD + 1] == _MARK_BYTES[0])
    for offset in range(1, _MARK_BYTES.size):
        place = place[part[place + offset] == _MARK_BYTES[offset]]
    digits = _VALUE[part[place[:, None] + np.arange(_MARK_BYTES.size, WORD)]]
    sound = (digits >= 0).all(axis=1)
    return place[sound] + start, (digits[sound] << _SHIFTS).sum(axis=1)


def values(found: list[tuple[Numbers, Numbers]], edges: Numbers) -> Values | None:
    """What `find` found in all parts, by request (from edges[j] to edges[j+1]); None when it was not written here.

    Whoever writes placeholders numbers the slots of a request from 0 without a gap.
    """
    place, slot = (np.concatenate([part[column] for part in found]) for column in range(2))
    if not place.size:
        return None
    request = np.searchsorted(edges, place, "right") - 1
    words = np.zeros(edges.size - 1, np.int64)
    np.maximum.at(words, request, slot + 1)
    if not _without_gaps(request, slot, words):
        return None
    return Values(
        offset=_narrow(place - edges[request]),
        slot=_narrow(slot),
        bounds=np.searchsorted(place, edges).astype(np.int64),
        words=_narrow(words),
    )


def _without_gaps(request: Numbers, slot: Numbers, words: Numbers) -> bool:
    """Whether every slot below each request's number of words occurs."""
    if words.sum() > slot.size:
        return False
    met = np.zeros(words.sum(), np.bool_)
    met[(np.cumsum(words) - words)[request] + slot] = True
    return bool(met.all())


def _narrow(numbers: Numbers) -> npt.NDArray[np.int32]:
    return numbers.astype(np.int32)
