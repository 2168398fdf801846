"""Grows the spans of many traces at once: who calls whom, without times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.catalogue import INHERIT, Catalogue
from vivace.telemetry.operations import CALLED, CAN_CALL

BUSY: Final = 0.75
"""Chance that a server that was just called does something before anybody else does: few do nothing at all."""
PATIENCE: Final = 16
"""So often a span may be met that can do nothing more before its trace is complete."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Spans of many traces, trace after trace, parents before their children; row n of every array is span n."""

    trace: Numbers
    parent: Numbers
    """Row of the parent; -1 for a root."""
    operation: Numbers
    depth: Numbers
    together: Flags
    """It starts together with the sibling before it."""

    def __len__(self) -> int:
        return self.trace.size


@dataclass(slots=True)
class _Growing:
    """One row per trace, one column per span."""

    catalogue: Catalogue
    operation: Numbers
    parent: Numbers
    context: Numbers
    """Of which operation's steps a span's own steps are drawn."""
    services: Numbers
    """How many services lie on the way from the root."""
    together: Flags
    callers: Numbers
    """Columns of the spans that can have children, in the first `caller_count` columns."""
    caller_count: Numbers
    filled: Numbers

    @classmethod
    def of(cls, catalogue: Catalogue, traces: int, spans: int) -> _Growing:
        """Nothing yet, with room for so many spans."""
        numbers = [np.zeros((traces, spans), np.int64) for _ in range(5)]
        operation, parent, context, services, callers = numbers
        together, counts = np.zeros((traces, spans), np.bool_), np.zeros((2, traces), np.int64)
        return cls(catalogue, operation, parent, context, services, together, callers, *counts)

    def add(self, traces: Numbers, operation: Numbers, parent: Numbers, together: bool = False) -> Numbers:
        """Adds one span to each of the traces; gives its column."""
        tables, column = self.catalogue, self.filled[traces]
        self.operation[traces, column] = operation
        self.parent[traces, column] = parent
        self.together[traces, column] = together
        context, shape = tables.context[operation], tables.shape[operation]
        context = np.where(context == INHERIT, self.context[traces, parent], context)
        services = np.where(parent < 0, 1, self.services[traces, parent] + CALLED[shape])
        self.context[traces, column], self.services[traces, column] = context, services
        self.filled[traces] += 1
        inside = services < tables.topology.depth
        calls = CAN_CALL[shape] & tables.possible(context, inside)
        calling = traces[calls]
        self.callers[calling, self.caller_count[calling]] = column[calls]
        self.caller_count[calling] += 1
        return column


def grow(catalogue: Catalogue, sizes: Numbers, random: np.random.Generator) -> Trees:
    """One tree per size: again and again a span that can call does one more step.

    A tree has as many spans as its size says, unless there is nothing in the topology that its spans could still do.
    """
    growing = _Growing.of(catalogue, sizes.size, int(sizes.max()))
    roots = random.choice(catalogue.roots, sizes.size, p=catalogue.root_weight / catalogue.root_weight.sum())
    growing.add(np.arange(sizes.size), roots, np.full(sizes.size, -1))
    vain = np.zeros(sizes.size, np.int64)
    while (traces := np.flatnonzero((growing.filled < sizes) & (growing.caller_count > 0) & (vain < PATIENCE))).size:
        vain[traces[~_step(growing, traces, sizes[traces] - growing.filled[traces], random)]] += 1
    return _flat(growing)


def _step(growing: _Growing, traces: Numbers, room: Numbers, random: np.random.Generator) -> Flags:
    """Does a step in each trace; gives where one was possible for the span that it fell to."""
    tables, chances = growing.catalogue, random.random((3, traces.size))
    caller = growing.callers[traces, (chances[0] * growing.caller_count[traces]).astype(np.int64)]
    newest = growing.callers[traces, growing.caller_count[traces] - 1]
    called = CALLED[tables.shape[growing.operation[traces, newest]]] & (newest == growing.filled[traces] - 1)
    caller = np.where(called & (chances[2] < BUSY), newest, caller)
    context = growing.context[traces, caller]
    any_step = (room > 1) & (growing.services[traces, caller] < tables.topology.depth)
    possible = tables.possible(context, any_step)
    step = np.where(any_step, tables.any_step.draw(context, chances[1]), tables.single_step.draw(context, chances[1]))
    _take(growing, traces[possible], step[possible], caller[possible], room=room[possible], random=random)
    return possible


def _take(
    growing: _Growing, traces: Numbers, step: Numbers, caller: Numbers, *, room: Numbers, random: np.random.Generator
) -> None:
    """Adds the spans of a step, several times where it fans out and there is room."""
    tables = growing.catalogue
    fewest, most = tables.fan_out[step].T
    times = fewest
    if tables.fan_out.max() > 1:
        times = fewest + (random.random(step.size) * (most - fewest + 1)).astype(np.int64)
    times = np.minimum(times, room // np.where(tables.second[step] >= 0, 2, 1))
    for turn in range(int(times.max(initial=0))):
        some = np.flatnonzero(times > turn)
        column = growing.add(traces[some], tables.first[step[some]], caller[some], together=turn > 0)
        counterpart = tables.second[step[some]]
        paired = np.flatnonzero(counterpart >= 0)
        growing.add(traces[some[paired]], counterpart[paired], column[paired])


def _flat(growing: _Growing) -> Trees:
    starts = np.cumsum(growing.filled) - growing.filled
    trace, column = np.nonzero(np.arange(growing.operation.shape[1]) < growing.filled[:, None])
    parent = growing.parent[trace, column]
    row = np.where(parent < 0, -1, parent + starts[trace])
    return Trees(trace, row, growing.operation[trace, column], _depth(row), growing.together[trace, column])


def _depth(parent: Numbers) -> Numbers:
    """How many ancestors each row has: every round follows one more parent."""
    depth = np.zeros(parent.size, np.int64)
    rows, ancestor = np.arange(parent.size), parent
    while (has := ancestor >= 0).any():
        rows, ancestor = rows[has], ancestor[has]
        depth[rows] += 1
        ancestor = parent[ancestor]
    return depth
