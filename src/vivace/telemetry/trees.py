"""Grows the spans of many traces at once: who calls whom, without times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.catalogue import Catalogue
from vivace.telemetry.operations import CAN_CALL, INHERIT


@dataclass(frozen=True, slots=True)
class Trees:
    """Spans of many traces, trace after trace, parents before their children; row n of every array is span n."""

    trace: Numbers
    parent: Numbers
    """Row of the parent; -1 for a root."""
    operation: Numbers
    depth: Numbers

    def __len__(self) -> int:
        return self.trace.size


@dataclass(slots=True)
class _Growing:
    """One row per trace, one column per span."""

    operation: Numbers
    parent: Numbers
    context: Numbers
    """Of which operations a span's own steps are drawn."""
    callers: Numbers
    """Columns of the spans that can have children, in the first `caller_count` columns."""
    caller_count: Numbers
    filled: Numbers

    def add(self, catalogue: Catalogue, traces: Numbers, operation: Numbers, parent: Numbers) -> Numbers:
        """Adds one span to each of the traces; gives its column."""
        column = self.filled[traces]
        self.operation[traces, column] = operation
        self.parent[traces, column] = parent
        context = catalogue.context[operation]
        self.context[traces, column] = np.where(context == INHERIT, self.context[traces, parent], context)
        self.filled[traces] += 1
        calls = CAN_CALL[catalogue.shape[operation]]
        calling = traces[calls]
        self.callers[calling, self.caller_count[calling]] = column[calls]
        self.caller_count[calling] += 1
        return column


def grow(catalogue: Catalogue, sizes: Numbers, random: np.random.Generator) -> Trees:
    """One tree per size, of exactly so many spans: again and again a span that can call does one more step."""
    shape = (sizes.size, int(sizes.max()))
    growing = _Growing(
        operation=np.zeros(shape, np.int64),
        parent=np.full(shape, -1),
        context=np.zeros(shape, np.int64),
        callers=np.zeros(shape, np.int64),
        caller_count=np.zeros(sizes.size, np.int64),
        filled=np.zeros(sizes.size, np.int64),
    )
    roots = random.choice(catalogue.roots, sizes.size, p=catalogue.root_weight / catalogue.root_weight.sum())
    growing.add(catalogue, np.arange(sizes.size), roots, np.full(sizes.size, -1))
    while (traces := np.flatnonzero(growing.filled < sizes)).size:
        _step(catalogue, growing, traces, sizes[traces] - growing.filled[traces], random)
    return _flat(growing, sizes)


def _step(catalogue: Catalogue, growing: _Growing, traces: Numbers, room: Numbers, random: np.random.Generator) -> None:
    chances = random.random((2, traces.size))
    caller = growing.callers[traces, (chances[0] * growing.caller_count[traces]).astype(np.int64)]
    context = growing.context[traces, caller]
    step = np.where(
        room > 1, catalogue.any_step.draw(context, chances[1]), catalogue.single_step.draw(context, chances[1])
    )
    column = growing.add(catalogue, traces, catalogue.first[step], caller)
    counterpart = catalogue.second[step]
    paired = counterpart >= 0
    growing.add(catalogue, traces[paired], counterpart[paired], column[paired])


def _flat(growing: _Growing, sizes: Numbers) -> Trees:
    starts = np.cumsum(sizes) - sizes
    trace, column = np.nonzero(np.arange(growing.operation.shape[1]) < sizes[:, None])
    parent = growing.parent[trace, column]
    row = np.where(parent < 0, -1, parent + starts[trace])
    return Trees(trace, row, growing.operation[trace, column], _depth(row))


def _depth(parent: Numbers) -> Numbers:
    """How many ancestors each row has: every round follows one more parent."""
    depth = np.zeros(parent.size, np.int64)
    rows, ancestor = np.arange(parent.size), parent
    while (has := ancestor >= 0).any():
        rows, ancestor = rows[has], ancestor[has]
        depth[rows] += 1
        ancestor = parent[ancestor]
    return depth
