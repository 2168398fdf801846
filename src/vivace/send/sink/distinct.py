"""Counts distinct trace IDs over several processes: exactly up to a bound, by an estimate above it.

Exact means by 64-bit fingerprints: of a million IDs, two share one in a run out of 30 million. The estimate is a
HyperLogLog's (Flajolet et al. 2007) with 2^14 registers, which is off by 0.8 % (one standard deviation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from vivace.send.shared import Words as SharedView
from vivace.telemetry.arrays import Words

INDEX_BITS: Final = 14
REGISTERS: Final = 1 << INDEX_BITS
REST_BITS: Final = 64 - INDEX_BITS
BIAS: Final = 0.7213 / (1 + 1.079 / REGISTERS)
FEW: Final = 2.5 * REGISTERS
"""Below, the registers that are still empty tell more."""
LENGTH, CHANGES, FULL, HEAD = 0, 1, 2, 3


class Distinct(NamedTuple):
    """How many there are."""

    number: int
    exact: bool


class TraceCounter:
    """One process' share, in shared memory: it adds, another process reads."""

    def __init__(self, words: SharedView, most: int) -> None:
        self._head = np.frombuffer(words, np.int64)[:HEAD]
        self._registers = np.frombuffer(words, np.int64)[HEAD : HEAD + REGISTERS // 8].view(np.uint8)
        self._log = np.frombuffer(words, np.uint64)[HEAD + REGISTERS // 8 :]
        self._most = most

    @staticmethod
    def size(most: int) -> int:
        """Words for an exact count up to so many."""
        return HEAD + REGISTERS // 8 + 2 * most

    def add(self, traces: Words) -> None:
        """Trace IDs as rows of two words; any may have been added before."""
        if not traces.size:
            return
        prints = np.unique(fingerprints(traces))
        self._register(prints)
        if not self._head[FULL]:
            self._note(prints)

    def read(self) -> tuple[npt.NDArray[np.uint64] | None, npt.NDArray[np.uint8]]:
        """Fingerprints (None: too many) and registers, for distinct()."""
        while True:
            before = int(self._head[CHANGES])
            prints = None if self._head[FULL] else self._log[: self._head[LENGTH]].copy()
            if before == int(self._head[CHANGES]) and before % 2 == 0:
                return prints, self._registers.copy()

    def _register(self, prints: npt.NDArray[np.uint64]) -> None:
        place = (prints >> np.uint64(REST_BITS)).astype(np.int64)
        rest = prints << np.uint64(INDEX_BITS)
        rank = np.minimum(_leading_zeros(rest) + 1, REST_BITS + 1).astype(np.uint8)
        np.maximum.at(self._registers, place, rank)

    def _note(self, prints: npt.NDArray[np.uint64]) -> None:
        length = int(self._head[LENGTH])
        if length + prints.size > self._log.size:
            length = self._compact(length, prints)
            if self._head[FULL]:
                return
        self._log[length : length + prints.size] = prints
        self._head[LENGTH] = length + prints.size

    def _compact(self, length: int, prints: npt.NDArray[np.uint64]) -> int:
        """Leaves each fingerprint once; when they are too many, says so."""
        known = np.unique(self._log[:length])
        self._head[CHANGES] += 1
        self._log[: known.size] = known
        self._head[LENGTH] = known.size
        self._head[FULL] = known.size > self._most or known.size + prints.size > self._log.size
        self._head[CHANGES] += 1
        return int(known.size)


def distinct(counters: Sequence[TraceCounter], most: int) -> Distinct:
    """Over all processes."""
    parts = [counter.read() for counter in counters]
    if all(prints is not None for prints, _ in parts):
        count = int(np.unique(np.concatenate([prints for prints, _ in parts if prints is not None])).size)
        if count <= most:
            return Distinct(count, exact=True)
    registers = np.maximum.reduce([part for _, part in parts])
    return Distinct(round(_estimate(registers)), exact=False)


def fingerprints(traces: Words) -> npt.NDArray[np.uint64]:
    """64 well-mixed bits of each ID."""
    return _mixed(_mixed(traces[:, 0]) ^ traces[:, 1])


def _mixed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)


def _leading_zeros(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """By halves, as floating point would round."""
    high, low = (words >> np.uint64(32)).astype(np.float64), (words & np.uint64(0xFFFF_FFFF)).astype(np.float64)
    return np.where(high > 0, 32 - np.frexp(high)[1], 64 - np.frexp(low)[1])


def _estimate(registers: npt.NDArray[np.uint8]) -> float:
    raw = BIAS * REGISTERS**2 / float(np.sum(np.exp2(-registers.astype(np.float64))))
    empty = int(np.count_nonzero(registers == 0))
    return REGISTERS * float(np.log(REGISTERS / empty)) if raw <= FEW and empty else raw
