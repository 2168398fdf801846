"""Makes a request of a template: copies its bytes, overwrites IDs, times and fresh text; nothing is encoded again."""

from __future__ import annotations

import sys
from typing import Final

import numpy as np

from vivace.telemetry.arrays import Words
from vivace.telemetry.identity import request_values, request_words
from vivace.telemetry.template import EPOCH_NS, RequestPatch, Template

WORD: Final = 8

if sys.byteorder != "little":
    raise ImportError("templates hold little-endian words; this machine is big-endian")


class Patcher:
    """Makes requests one after the other in a buffer of its own. Not for use by several threads at once."""

    def __init__(self, template: Template, seed: int) -> None:
        self._template = template
        self._seed = seed
        longest = int((template.requests.stop - template.requests.start).max())
        self._buffer = np.empty(longest + WORD, np.uint8)
        self._words = np.ndarray((longest + 1,), np.uint64, self._buffer.data, strides=(1,))

    def patch(self, number: int, t0_ns: int) -> bytes:
        """Request `number` with its own IDs and fresh text; its earliest trace starts at Unix time `t0_ns`."""
        request = self._template.request(number % len(self._template))
        words = request_words(self._template, self._seed, number)
        size = request.payload.size
        self._buffer[:size] = request.payload
        _overwrite(self._words, request, words, t0_ns)
        if request.value_offset.size:
            fresh = request_values(self._template, self._seed, number)
            self._words[request.value_offset] = fresh.take(request.value_slot)
        return self._buffer[:size].tobytes()


def _overwrite(target: Words, request: RequestPatch, words: Words, t0_ns: int) -> None:
    """`target` sees the request's bytes as 8-byte words that start at every byte; times wrap as unsigned numbers."""
    shift = np.uint64((t0_ns - EPOCH_NS) % (1 << 64))
    target[request.id_offset] = words[request.id_slot]
    target[request.time_offset] = request.time_value + shift


def sent_request(template: Template, seed: int, number: int, t0_ns: int) -> bytes:
    """The very bytes that a sender with this seed sends as request `number` at `t0_ns`."""
    return Patcher(template, seed).patch(number, t0_ns)
