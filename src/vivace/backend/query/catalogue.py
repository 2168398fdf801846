"""The units of a snapshot as views in which every trace is whole.

A trace whose spans lie in several units is gathered in a view of its own and hidden in theirs, so that what asks about
whole traces can look at one view at a time. Of all units only the IDs of their traces are read for this. When units
come and go, only the traces that they share with others are looked at.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np

from vivace.backend.query.gathered import Share, gathered
from vivace.backend.query.lookup import Piece
from vivace.backend.query.memory import Memory
from vivace.backend.query.readable import LeftOut, Views
from vivace.backend.query.trace_index import NO_IDENTITIES, Identities, Occurrences, TraceIndex, distinct
from vivace.backend.query.value import Mask, Rows
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers
from vivace.backend.store.unit import Unit, UnitKind, UnreadableUnit

Snapshot = Callable[[], Sequence[Unit]]
SEGMENTS: Final = ""
"""Traces of which the newest spans are in segments are gathered together; else by the block that these are in."""
CROWD: Final = 4
"""So many gathered views for one block, or for segments, become one."""
READERS: Final = 4
PATIENCE_S: Final = 0.5
"""So long a query waits for new units to be taken in."""
_HALF: Final = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Visible:
    """A view, and which of its traces are to be left out because another view has them whole; None for none."""

    view: View
    hidden: Mask | None = None

    @property
    def traces(self) -> int:
        """How many are not hidden."""
        return self.view.unit.info.traces - (0 if self.hidden is None else int(self.hidden.sum()))

    @property
    def hidden_key(self) -> bytes | None:
        """Tells what is hidden from anything else that might be."""
        return None if self.hidden is None else hashlib.blake2b(self.hidden.data).digest()


@dataclass(slots=True)
class _Held:
    """A unit."""

    view: View
    hidden: Mask | None = None


@dataclass(slots=True)
class _Gathered:
    """Traces that are spread; `numbers` says for each place which of them it has a part of."""

    view: View
    newest: str
    identities: Identities
    numbers: Mapping[int, Rows]
    hidden: Mask

    @property
    def wasteful(self) -> bool:
        """Whether most of it has been gathered anew elsewhere."""
        return 2 * int(self.hidden.sum()) > len(self.identities)

    def shown(self, places: Iterable[int]) -> Identities:
        """Which of its traces have a part in one of the places."""
        numbers = [self.numbers[place] for place in places if place in self.numbers]
        chosen = np.zeros(len(self.identities), np.bool_)
        chosen[np.concatenate([np.zeros(0, np.int64), *numbers])] = True
        return self.identities.take(chosen & ~self.hidden)


class Catalogue:
    """Keeps views of the current units. Safe for use by several threads."""

    def __init__(
        self, snapshot: Snapshot, memory: Memory, views: Views | None = None, left_out: LeftOut | None = None
    ) -> None:
        """Several catalogues may share their views, and what is left out because it cannot be read."""
        self._snapshot = snapshot
        self._memory = memory
        self._views = views or Views(memory)
        self._left_out = LeftOut() if left_out is None else left_out
        self._looking, self._lock = Lock(), Lock()
        self._looked = False
        self._next = 0
        self._places: dict[str, int] = {}
        self._held: dict[int, _Held] = {}
        self._gathered: dict[int, _Gathered] = {}
        self._pieces, self._whole = TraceIndex(), TraceIndex()
        self._visible: tuple[Visible, ...] = ()
        self._complete = True

    def visible(self) -> tuple[Visible, ...]:
        """Views in which every trace of the current snapshot is whole, each in one of them.

        When it takes long to take in new units, because they have to be fetched, it is what was known before.
        """
        self._look()
        with self._lock:
            return self._visible

    @property
    def complete(self) -> bool:
        """Whether all units could be read when it was last looked."""
        return self._complete

    def pieces(self, trace_id: int) -> list[Piece]:
        """What each unit holds of a trace."""
        wanted = Identities(*(np.array([half], np.uint64) for half in (trace_id >> 64, trace_id & _HALF)))
        self._look()
        with self._lock:
            found = self._pieces.find(wanted)
            parts = [(self._held[place].view, row) for place, row in _pairs(found)]
        return [_piece(view, row) for view, row in parts]

    def leave_out(self, error: UnreadableUnit) -> None:
        """Goes on without a unit, and tries it again later."""
        self._left_out.add(error)
        self._complete = False

    def close(self) -> None:
        """Gives back all memory; it can be used again."""
        with self._looking, self._lock:
            self._renew({}, [])

    def _look(self) -> None:
        if not self._looking.acquire(timeout=PATIENCE_S if self._looked else -1):
            self._complete = False
            return
        try:
            self._take_in(self._snapshot())
            self._looked = True
        finally:
            self._looking.release()

    def _take_in(self, snapshot: Sequence[Unit]) -> None:
        units = {unit.info.id: unit for unit in snapshot if unit.info.id not in self._left_out}
        self._complete = len(units) == len(snapshot)
        if units.keys() != self._places.keys():
            read = list(self._read([unit for identity, unit in units.items() if identity not in self._places]))
            with self._lock:
                self._renew(units, read)

    def _renew(self, units: Mapping[str, Unit], read: Sequence[tuple[View, Identities]]) -> None:
        left = self._leave(self._places.keys() - units.keys())
        touched = distinct([left, self._enter(read)])
        if len(touched):
            self._arrange(distinct([touched, self._hide_gathered(touched)]))
        held = (self._held[self._places[identity]] for identity in units if identity in self._places)
        self._visible = (
            *(Visible(one.view, one.hidden) for one in held),
            *(Visible(one.view, one.hidden if one.hidden.any() else None) for one in self._gathered.values()),
        )

    def _leave(self, gone: Iterable[str]) -> Identities:
        """Units go; the traces that others share with them are returned."""
        places = [self._places.pop(identity) for identity in gone]
        touched = distinct([one.shown(places) for one in self._gathered.values()]) if places else NO_IDENTITIES
        self._pieces.remove(places)
        for place in places:
            self._views.give_back(self._held.pop(place).view)
        return touched

    def _enter(self, read: Sequence[tuple[View, Identities]]) -> Identities:
        """Units come; the traces that they may share are returned."""
        places = range(self._next, self._next + len(read))
        self._next += len(read)
        for place, (view, _) in zip(places, read, strict=True):
            self._places[view.unit.info.id] = place
            self._held[place] = _Held(view)
        return self._pieces.add([(place, identities) for place, (_, identities) in zip(places, read, strict=True)])

    def _read(self, units: Sequence[Unit]) -> Iterator[tuple[View, Identities]]:
        """Views of the units, and their traces, but for those that cannot be read."""
        views = [self._views.take(unit) for unit in units]
        for view, identities in zip(views, self._all_identities(views), strict=True):
            if isinstance(identities, UnreadableUnit):
                self.leave_out(identities)
                self._views.give_back(view)
            else:
                yield view, identities

    def _all_identities(self, views: Sequence[View]) -> list[Identities | UnreadableUnit]:
        if len(views) < READERS:
            return list(map(self._identities, views))
        with ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(self._identities, views))

    def _identities(self, view: View) -> Identities | UnreadableUnit:
        try:
            return self._views.identities(view)
        except UnreadableUnit as error:
            return error

    def _hide_gathered(self, touched: Identities) -> Identities:
        """These are gathered anew; the traces for which that is worth while, too, are returned."""
        for place, found in _by_place(self._whole.find(touched)):
            one = self._gathered[place]
            one.hidden = one.hidden.copy()
            one.hidden[found.row] = True
        views = Counter(one.newest for one in self._gathered.values())
        gone = [place for place, one in self._gathered.items() if one.wasteful or views[one.newest] >= CROWD]
        return distinct([self._dissolved(place) for place in gone])

    def _dissolved(self, place: int) -> Identities:
        one = self._gathered.pop(place)
        self._whole.remove([place])
        one.view.forget()
        return one.identities.take(~one.hidden)

    def _arrange(self, touched: Identities) -> None:
        """Hides these traces where units hold a part of them, and gathers them."""
        found = self._pieces.find(touched)
        spread = np.bincount(found.wanted, minlength=len(touched)) > 1
        for place, part in _by_place(found):
            held = self._held[place]
            hidden = np.zeros(held.view.unit.info.traces, np.bool_) if held.hidden is None else held.hidden.copy()
            hidden[part.row] = spread[part.wanted]
            held.hidden = hidden if hidden.any() else None
        parts = found.where(spread[found.wanted])
        newest = self._newest(parts)
        for number in distinct_numbers(newest):
            self._gather(touched, parts.where(newest == number))

    def _newest(self, parts: Occurrences) -> Rows:
        """For each part of a trace the place of its newest block; -1 when there is a newer segment."""
        if not len(parts):
            return np.zeros(0, np.int64)
        places = distinct_numbers(parts.place)
        infos = [self._held[place].view.unit.info for place in places.tolist()]
        rank = np.argsort(np.argsort([info.end_ns for info in infos], kind="stable"))
        block = np.array([info.kind is UnitKind.BLOCK for info in infos])
        by_rank = np.empty(len(places), np.int64)
        by_rank[rank] = np.where(block, places, -1)
        first = np.append(True, parts.wanted[1:] != parts.wanted[:-1])
        highest = np.maximum.reduceat(rank[np.searchsorted(places, parts.place)], np.flatnonzero(first))
        newest: Rows = by_rank[highest][np.cumsum(first) - 1]
        return newest

    def _gather(self, touched: Identities, parts: Occurrences) -> None:
        wanted, number = np.unique(parts.wanted, return_inverse=True)
        identities = touched.take(wanted)
        numbered = Occurrences(number.astype(np.int64), parts.place, parts.row)
        shares = {place: Share(self._held[place].view, one.row, one.wanted) for place, one in _by_place(numbered)}
        view = gathered(identities, list(shares.values()), self._memory)
        newest = max((share.view.unit.info for share in shares.values()), key=lambda info: info.end_ns)
        self._gathered[self._next] = _Gathered(
            view,
            newest.id if newest.kind is UnitKind.BLOCK else SEGMENTS,
            identities,
            {place: share.traces for place, share in shares.items()},
            np.zeros(len(identities), np.bool_),
        )
        self._whole.add([(self._next, identities)])
        self._next += 1


def _piece(view: View, row: int) -> Piece:
    first, count = (int(view.numbers("traces", name).data[row]) for name in ("first", "count"))
    return Piece(view, row, first, count)


def _pairs(found: Occurrences) -> Iterator[tuple[int, int]]:
    return zip(found.place.tolist(), found.row.tolist(), strict=True)


def _by_place(found: Occurrences) -> Iterator[tuple[int, Occurrences]]:
    if not len(found):
        return
    order = np.argsort(found.place, kind="stable")
    places, starts = np.unique(found.place[order], return_index=True)
    for place, rows in zip(places.tolist(), np.split(order, starts[1:]), strict=True):
        yield place, Occurrences(found.wanted[rows], found.place[rows], found.row[rows])
