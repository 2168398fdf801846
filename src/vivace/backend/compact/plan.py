"""Which blocks to make one: a pure function of the visible units and of the time.

Blocks of a tenant whose latest spans fall into the same window of time go together, by what the spans say, so that a
block's range of time stays narrow. While a window is open its blocks are merged several of a level at a time, so that a
span is rewritten once per level; once it is closed, those that are left are merged across levels. A block of half the
size that one may reach is finished and not read again.

What spans say may be far from when they arrive, by which their age counts. Of such blocks only those go together that
arrived in the same window as well: else a few new spans would keep old ones for ever. That window is then the one that
is open or closed, however far ahead or back the other is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from vivace.backend.store.unit import UnitInfo, UnitKind

CLOSED_SECONDS: Final = 120.0
"""So long after its end a window is closed; what arrives later is joined to it all the same."""
FAR_NS: Final = 86_400 * 10**9
"""Spans that end longer before they arrive than this, or after, are far from it; others that come late join their
trace."""
RATIO: Final = 4
"""A block is not rewritten for the sake of others that together are smaller by more than this."""


@dataclass(frozen=True, slots=True)
class CompactionSettings:
    """How far blocks are made one."""

    window_s: float = 3600.0
    block_spans: int = 2_400_000
    """A block has no more spans than this; four as the indexer cuts them under load fit."""
    block_bytes: int = 512 << 20
    """Nor is it larger."""
    least_inputs: int = 4
    """So many blocks of a level become one while their window is open."""
    most_inputs: int = 8
    full_inputs: int = 16
    """So many, where they are so large that the result is finished: then few blocks are saved by much work."""


DEFAULT_COMPACTION: Final = CompactionSettings()


@dataclass(frozen=True, slots=True)
class Job:
    """Blocks of one tenant and window that are to become one."""

    inputs: tuple[UnitInfo, ...]

    @property
    def tenant(self) -> str:
        """Whose they are."""
        return self.inputs[0].tenant

    @property
    def level(self) -> int:
        """The level of the block that they become."""
        return 1 + max(unit.level for unit in self.inputs)

    @property
    def arrived_ns(self) -> int:
        """When the last of what is in them arrived."""
        return max(unit.arrived_ns for unit in self.inputs)


class _Window(NamedTuple):
    """What blocks that go together have in common."""

    last: int
    """The window after which no more is expected: that of their latest spans, or in which these arrived."""
    end: int
    """That of their latest spans."""
    tenant: str

    @classmethod
    def of(cls, unit: UnitInfo, window_ns: int) -> _Window:
        """The one that a block belongs to."""
        far = abs(unit.aging_from_ns - unit.end_ns) > FAR_NS
        return cls((unit.arrived_ns if far else unit.end_ns) // window_ns, unit.end_ns // window_ns, unit.tenant)


def next_job(units: Iterable[UnitInfo], now_ns: int, settings: CompactionSettings = DEFAULT_COMPACTION) -> Job | None:
    """What to merge next, if anything: the newest window first, in it the lowest level, in that the smallest blocks."""
    return next(jobs(units, now_ns, settings), None)


def jobs(units: Iterable[UnitInfo], now_ns: int, settings: CompactionSettings = DEFAULT_COMPACTION) -> Iterator[Job]:
    """All that could be merged now, no block in two of them."""
    window_ns = int(settings.window_s * 1e9)
    windows: defaultdict[_Window, list[UnitInfo]] = defaultdict(list)
    for unit in units:
        if unit.kind is UnitKind.BLOCK and not _finished((unit,), settings):
            windows[_Window.of(unit, window_ns)].append(unit)
    for window in sorted(windows, key=lambda one: (-one.last, one.tenant, -one.end)):
        closed = (window.last + 1) * window_ns + int(CLOSED_SECONDS * 1e9) <= now_ns
        yield from _of_window(windows[window], closed, settings)


def _of_window(blocks: Sequence[UnitInfo], closed: bool, settings: CompactionSettings) -> Iterator[Job]:
    left = sorted(blocks, key=lambda unit: (unit.level, unit.spans, unit.id))
    for level in sorted({unit.level for unit in left}):
        of_level = [unit for unit in left if unit.level == level]
        while job := _of_level(of_level, settings):
            yield job
            of_level = _without(of_level, job)
            left = _without(left, job)
    if closed:
        left.sort(key=lambda unit: (unit.spans, unit.id))
        while job := _across_levels(left, settings):
            yield job
            left = _without(left, job)


def _of_level(blocks: Sequence[UnitInfo], settings: CompactionSettings) -> Job | None:
    """The smallest blocks of a level, when they are many."""
    chosen = _fitting(blocks, settings)
    least = settings.full_inputs if _finished(chosen, settings) else settings.least_inputs
    return Job(tuple(chosen)) if len(chosen) >= 2 and len(blocks) >= least else None


def _across_levels(blocks: Sequence[UnitInfo], settings: CompactionSettings) -> Job | None:
    """As many of the smallest blocks as can be, none of which is much larger than the others together."""
    chosen = _fitting(blocks, settings)
    while len(chosen) >= 2 and chosen[-1].spans > RATIO * sum(unit.spans for unit in chosen[:-1]):
        chosen.pop()
    return Job(tuple(chosen)) if len(chosen) >= 2 else None


def _fitting(blocks: Sequence[UnitInfo], settings: CompactionSettings) -> list[UnitInfo]:
    """The first of the blocks, as many as one block can hold and one job may have."""
    chosen: list[UnitInfo] = []
    spans = size = 0
    for block in blocks[: settings.most_inputs]:
        spans, size = spans + block.spans, size + block.bytes
        if spans > settings.block_spans or size > settings.block_bytes:
            break
        chosen.append(block)
    return chosen


def _finished(blocks: Sequence[UnitInfo], settings: CompactionSettings) -> bool:
    """Whether blocks are half as large as one may be, alone or when they are one."""
    spans, size = sum(unit.spans for unit in blocks), sum(unit.bytes for unit in blocks)
    return spans * 2 >= settings.block_spans or size * 2 >= settings.block_bytes


def _without(blocks: Sequence[UnitInfo], job: Job) -> list[UnitInfo]:
    taken = {unit.id for unit in job.inputs}
    return [unit for unit in blocks if unit.id not in taken]
