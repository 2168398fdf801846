"""The units of a snapshot as views in which every trace is whole.

A trace whose spans lie in several units is put together in a view of its own and hidden in theirs, so that what asks
about whole traces can look at one view at a time. These views are made once for each combination of units.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np

from vivace.backend.query.lookup import Piece, find_trace
from vivace.backend.query.memory import Memory
from vivace.backend.query.pick import pick
from vivace.backend.query.value import Mask
from vivace.backend.query.view import View
from vivace.backend.store.merge import merge
from vivace.backend.store.unit import Unit

Snapshot = Callable[[], tuple[Unit, ...]]
Identity = int
"""A trace ID as a number."""
Spread = frozenset[str]
"""The units over which a trace is spread."""


@dataclass(frozen=True, slots=True)
class Visible:
    """A view, and which of its traces are to be left out because another view has them whole; None for none."""

    view: View
    hidden: Mask | None = None


class Catalogue:
    """Keeps views of the current units. Safe for use by several threads."""

    def __init__(self, snapshot: Snapshot, memory: Memory) -> None:
        self._snapshot = snapshot
        self._memory = memory
        self._lock = Lock()
        self._views: dict[str, View] = {}
        self._spread: dict[Identity, set[str]] = {}
        self._whole: dict[Spread, tuple[View, frozenset[Identity]]] = {}
        self._visible: tuple[Visible, ...] = ()

    def visible(self) -> tuple[Visible, ...]:
        """Views in which every trace of the current snapshot is whole, each in one of them."""
        with self._lock:
            units = {unit.info.id: unit for unit in self._snapshot()}
            if units.keys() != self._views.keys():
                self._renew(units)
            return self._visible

    def pieces(self, trace_id: Identity) -> list[Piece]:
        """What each unit holds of a trace."""
        with self._lock:
            units = {unit.info.id: unit for unit in self._snapshot()}
            if units.keys() != self._views.keys():
                self._renew(units)
            views = list(self._views.values())
        found = (find_trace(view, trace_id) for view in views)
        return [piece for piece in found if piece is not None]

    def _renew(self, units: Mapping[str, Unit]) -> None:
        for gone in self._views.keys() - units.keys():
            self._views.pop(gone).forget()
            self._forget(gone)
        for identity in [identity for identity in units if identity not in self._views]:
            view = View(units[identity], self._memory)
            for other, known in self._views.items():
                for trace in shared_traces(view, known):
                    self._spread.setdefault(trace, set()).update((identity, other))
            self._views[identity] = view
        self._views = {identity: self._views[identity] for identity in units}
        self._visible = tuple(self._arranged())

    def _forget(self, gone: str) -> None:
        for trace in [trace for trace, units in self._spread.items() if gone in units]:
            self._spread[trace].discard(gone)
            if len(self._spread[trace]) < 2:
                del self._spread[trace]
        for spread in [spread for spread in self._whole if gone in spread]:
            self._whole.pop(spread)[0].forget()

    def _arranged(self) -> Iterable[Visible]:
        groups: dict[Spread, set[Identity]] = defaultdict(set)
        for trace, units in self._spread.items():
            groups[frozenset(units)].add(trace)
        for spread in [spread for spread in self._whole if spread not in groups]:
            self._whole.pop(spread)[0].forget()
        for spread, traces in groups.items():
            view, held = self._put_together(spread, traces)
            yield Visible(view, _mask(view, held - traces))
        elsewhere: dict[str, set[Identity]] = defaultdict(set)
        for trace, units in self._spread.items():
            for unit in units:
                elsewhere[unit].add(trace)
        for identity, view in self._views.items():
            yield Visible(view, _mask(view, elsewhere[identity]))

    def _put_together(self, spread: Spread, traces: set[Identity]) -> tuple[View, frozenset[Identity]]:
        """A view with these traces; what it was made with stays, as long as that covers them."""
        made = self._whole.get(spread)
        if made is not None and traces <= made[1]:
            return made
        if made is not None:
            made[0].forget()
        parts = []
        for view in (view for unit, view in self._views.items() if unit in spread):
            pieces = [find_trace(view, trace) for trace in traces]
            rows = np.sort(np.array([piece.trace for piece in pieces if piece is not None], np.int64))
            parts.append(pick(view, rows))
        self._whole[spread] = View(Unit.in_memory(merge(parts)), self._memory), frozenset(traces)
        return self._whole[spread]


def shared_traces(one: View, other: View) -> list[Identity]:
    """The IDs that both views have."""
    small, large = sorted((one, other), key=lambda view: view.rows("traces"))
    highs, lows = small.words("traces", "trace_hi"), small.words("traces", "trace_lo")
    known = large.words("traces", "trace_hi")
    if not len(known) or not len(highs) or highs[-1] < known[0] or highs[0] > known[-1]:
        return []
    at = np.minimum(np.searchsorted(known, highs), len(known) - 1)
    candidates = np.flatnonzero(known[at] == highs)
    identities = ((int(highs[row]) << 64) | int(lows[row]) for row in candidates)
    return [identity for identity in identities if find_trace(large, identity) is not None]


def _mask(view: View, traces: Iterable[Identity]) -> Mask | None:
    rows = [piece.trace for piece in (find_trace(view, trace) for trace in traces) if piece is not None]
    if not rows:
        return None
    mask = np.zeros(view.rows("traces"), np.bool_)
    mask[rows] = True
    return mask
