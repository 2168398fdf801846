"""Splits what one resource sent into several entries with the same resource: the frames are new, the spans are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from vivace.telemetry.arrays import Bytes, Numbers
from vivace.telemetry.wire import Message, scan

ENTRY: Final = b"\x0a"
"""Tags: of an entry in a request, and of a scope's spans or records in an entry."""
SCOPE: Final = b"\x12"
INSIDE: Final = Message({1: ("entry", Message({2: ("scope", Message({2: ("items", Message({}))}))}))})


def reframed(payload: Bytes, edges: Numbers, items: Numbers, most: Numbers) -> Bytes:
    """The payload, with no entry that has more than `most` of the items in its scopes; `edges` are the entries'."""
    parts: list[bytes] = []
    copied = 0
    for entry in np.flatnonzero(items > most).tolist():
        start, stop = int(edges[entry]), int(edges[entry + 1])
        parts.append(payload[copied:start].tobytes())
        parts += _split(payload, start, stop, int(most[entry]))
        copied = stop
    parts.append(payload[copied:].tobytes())
    return np.frombuffer(b"".join(parts), np.uint8)


def _split(payload: Bytes, start: int, stop: int, most: int) -> Iterator[bytes]:
    """The entries that one becomes."""
    found = scan(payload, INSIDE, "template", start, stop)
    scopes, inner = found["scope"], found["items"]
    frames = _before(inner.stop - inner.start)
    own = _others(
        payload, int(found["entry"].start[0]), stop, scopes.start - _before(scopes.stop - scopes.start), scopes.stop
    )
    for scope in range(scopes.start.size):
        rows = np.flatnonzero(inner.owner == scope)
        begins, ends = (inner.start - frames)[rows], inner.stop[rows]
        common = _others(payload, int(scopes.start[scope]), int(scopes.stop[scope]), begins, ends)
        for first in range(0, rows.size, most):
            last = min(first + most, rows.size) - 1
            content = common + b"".join(_runs(payload, begins[first : last + 1], ends[first : last + 1]))
            yield _framed(ENTRY, own + _framed(SCOPE, content))


def _others(payload: Bytes, start: int, stop: int, begins: Numbers, ends: Numbers) -> bytes:
    """What lies between start and stop besides these stretches."""
    return b"".join(_runs(payload, np.append(start, ends), np.append(begins, stop)))


def _runs(payload: Bytes, begins: Numbers, ends: Numbers) -> Iterator[bytes]:
    """The bytes of stretches, those that touch each other at once."""
    if begins.size:
        apart = np.flatnonzero(begins[1:] != ends[:-1]) + 1
        for begin, end in zip(begins[np.append(0, apart)], ends[np.append(apart - 1, ends.size - 1)], strict=True):
            yield payload[begin:end].tobytes()


def _before(lengths: Numbers) -> Numbers:
    """Bytes of tag and length before contents of these lengths, as canonical encoders write them."""
    return 2 + np.searchsorted([1 << 7, 1 << 14, 1 << 21, 1 << 28], lengths, side="right")


def _framed(tag: bytes, content: bytes) -> bytes:
    return tag + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*digits, value))
