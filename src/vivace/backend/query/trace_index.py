"""Which trace lies where: the IDs of all traces of many places, found by thousands at a time.

Entries are held in sorted runs of falling size, which are merged as they grow alike: a lookup searches few runs, and
taking in a place costs little more than sorting it. An ID is kept as a number that depends on all of its bits, and its
higher half: together they are the ID again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.backend.query.tree_order import ranges
from vivace.backend.query.value import Mask, Rows

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int32]

_MIX_HIGH, _MIX_LOW = (np.uint64(secrets.randbits(64) | 1) for _ in range(2))
"""Odd, and different in each process: nobody can send IDs that are hard to tell apart."""
_UNMIX_LOW: Final = np.uint64(pow(int(_MIX_LOW), -1, 1 << 64))
_KEPT: Final = 2
"""Of the entries at least one in so many is about a place that is still there."""


@dataclass(frozen=True, slots=True)
class Identities:
    """Trace IDs: the first and the last eight bytes of each."""

    high: Words
    low: Words

    def __len__(self) -> int:
        return len(self.high)

    def take(self, rows: Rows | Mask) -> Identities:
        """Some of them."""
        return Identities(self.high[rows], self.low[rows])

    @property
    def mixed(self) -> Words:
        """For each a number that hardly any other ID shares."""
        return self.high * _MIX_HIGH + self.low * _MIX_LOW


NO_IDENTITIES: Final = Identities(np.zeros(0, np.uint64), np.zeros(0, np.uint64))


def distinct(identities: Iterable[Identities]) -> Identities:
    """All of them once, in order."""
    together = [NO_IDENTITIES, *identities]
    high, low = np.concatenate([one.high for one in together]), np.concatenate([one.low for one in together])
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    first = np.append(True, (high[1:] != high[:-1]) | (low[1:] != low[:-1]))[: len(high)]
    return Identities(high[first], low[first])


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Where IDs were found: `wanted` is the position of each among those asked for, ascending."""

    wanted: Rows
    place: Places
    row: Rows

    def __len__(self) -> int:
        return len(self.wanted)

    def where(self, mask: Mask) -> Occurrences:
        """Some of them."""
        return Occurrences(self.wanted[mask], self.place[mask], self.row[mask])


@dataclass(frozen=True, slots=True)
class _Run:
    """Entries, by `mixed`."""

    mixed: Words
    high: Words
    place: Places
    row: Places

    def __len__(self) -> int:
        return len(self.mixed)

    def take(self, rows: Rows | Mask) -> _Run:
        return _Run(self.mixed[rows], self.high[rows], self.place[rows], self.row[rows])

    def identities(self, rows: Rows | Mask) -> Identities:
        high = self.high[rows]
        return Identities(high, (self.mixed[rows] - high * _MIX_HIGH) * _UNMIX_LOW)


class TraceIndex:
    """The IDs of the traces of numbered places. 24 bytes for each."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._sizes: dict[int, int] = {}
        self._present = np.zeros(64, np.bool_)

    def add(self, places: Sequence[tuple[int, Identities]]) -> Identities:
        """Takes in new places. Returns the IDs of which there may be another now, each of them once."""
        for place, identities in places:
            self._sizes[place] = len(identities)
            if place >= len(self._present):
                self._present = np.append(self._present, np.zeros(max(place, len(self._present)), np.bool_))
            self._present[place] = True
        if not places:
            return NO_IDENTITIES
        run = _sorted([_run(place, identities) for place, identities in places])
        again = np.zeros(len(run), np.bool_)
        again[1:] = run.mixed[1:] == run.mixed[:-1]
        for older in self._runs:
            at = np.minimum(np.searchsorted(older.mixed, run.mixed), max(len(older) - 1, 0))
            if len(older):
                again |= older.mixed[at] == run.mixed
        self._runs.append(run)
        self._merge()
        return distinct([run.identities(again)])

    def remove(self, places: Iterable[int]) -> None:
        """Leaves places out from now on."""
        for place in places:
            del self._sizes[place]
            self._present[place] = False
        if sum(map(len, self._runs)) > _KEPT * sum(self._sizes.values()):
            self._runs = [run.take(self._present[run.place]) for run in self._runs]
            self._merge()

    def find(self, wanted: Identities) -> Occurrences:
        """Every place where each of these traces is, and its row there."""
        mixed = wanted.mixed
        order = np.argsort(mixed)
        ordered = mixed[order]
        found = [self._found(run, wanted, order, ordered) for run in self._runs]
        number, place, row = (np.concatenate(parts) for parts in zip(_NOWHERE, *found, strict=True))
        by_number = np.lexsort((place, number))
        return Occurrences(number[by_number], place[by_number], row[by_number].astype(np.int64))

    def _found(self, run: _Run, wanted: Identities, order: Rows, mixed: Words) -> tuple[Rows, Places, Places]:
        first = np.searchsorted(run.mixed, mixed)
        some = np.flatnonzero(first < len(run))
        some = some[run.mixed[first[some]] == mixed[some]]
        count = np.searchsorted(run.mixed, mixed[some], "right") - first[some]
        entries = ranges(first[some], count)
        numbers = np.repeat(order[some], count)
        real = (run.high[entries] == wanted.high[numbers]) & self._present[run.place[entries]]
        entries = entries[real]
        return numbers[real], run.place[entries], run.row[entries]

    def _merge(self) -> None:
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            pair = [run.take(self._present[run.place]) for run in (self._runs.pop(), self._runs.pop())]
            self._runs.append(_sorted(pair))


_NOWHERE: Final = (np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32))


def _run(place: int, identities: Identities) -> _Run:
    rows = np.arange(len(identities), dtype=np.int32)
    return _Run(identities.mixed, identities.high, np.full(len(rows), place, np.int32), rows)


def _sorted(runs: Sequence[_Run]) -> _Run:
    parts = [np.concatenate([getattr(run, name) for run in runs]) for name in ("mixed", "high", "place", "row")]
    order = np.argsort(parts[0], kind="stable" if len(runs) == 2 else None)
    return _Run(*(part[order] for part in parts))
