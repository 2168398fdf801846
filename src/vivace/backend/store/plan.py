"""Which units to make one: a pure function of the manifest and of how old the segments are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vivace.backend.store.manifest import LogPosition, Manifest
from vivace.backend.store.unit import UnitInfo, UnitKind


@dataclass(frozen=True, slots=True)
class Sizes:
    """When units are made one."""

    block_spans: int = 500_000
    """Segments with so many spans become a block."""
    block_bytes: int = 512 << 20
    """Segments of this size become a block, however few their spans."""
    block_age_s: float = 30.0
    """Segments of this age become a block."""
    small_segment_spans: int = 16_000
    small_block_spans: int = 250_000
    small_units: int = 8
    """So many small units of a kind become one."""


DEFAULT_SIZES: Final = Sizes()


@dataclass(frozen=True, slots=True)
class Merge:
    """Units to be made few of a kind, each tenant's by themselves, for a reason in one word."""

    units: tuple[UnitInfo, ...]
    kind: UnitKind
    reason: str
    log: LogPosition | None = None
    """Set when no segment before it is left then."""


def next_merge(manifest: Manifest, oldest_s: float, sizes: Sizes = DEFAULT_SIZES) -> Merge | None:
    """What to merge next, if anything; `oldest_s` is the age of the oldest segment, 0 without one.

    The segments of all tenants become blocks together, so that the log before them can go.
    """
    segments = tuple(unit for unit in manifest.units if unit.kind is UnitKind.SEGMENT)
    if segments and (reason := _cut_reason(segments, oldest_s, sizes)):
        return Merge(segments, UnitKind.BLOCK, reason, manifest.log)
    small = by_tenant(unit for unit in segments if unit.spans < sizes.small_segment_spans)
    many = [unit for units in small.values() if len(units) >= sizes.small_units for unit in units]
    if many:
        return Merge(tuple(many), UnitKind.SEGMENT, "small")
    blocks = (unit for unit in manifest.units if unit.kind is UnitKind.BLOCK and unit.spans < sizes.small_block_spans)
    for units in by_tenant(blocks).values():
        if len(units) >= sizes.small_units:
            return Merge(_together(units, sizes), UnitKind.BLOCK, "small")
    return None


def by_tenant(units: Iterable[UnitInfo]) -> Mapping[str, Sequence[UnitInfo]]:
    """Each tenant's units, in their order."""
    found: dict[str, list[UnitInfo]] = {}
    for unit in units:
        found.setdefault(unit.tenant, []).append(unit)
    return found


def _cut_reason(segments: Sequence[UnitInfo], oldest_s: float, sizes: Sizes) -> str | None:
    if sum(unit.spans for unit in segments) >= sizes.block_spans:
        return "spans"
    if sum(unit.bytes for unit in segments) >= sizes.block_bytes:
        return "bytes"
    return "age" if oldest_s >= sizes.block_age_s else None


def _together(blocks: Sequence[UnitInfo], sizes: Sizes) -> tuple[UnitInfo, ...]:
    """The first blocks that together are no larger than a full one; two in any case."""
    chosen: list[UnitInfo] = []
    for block in blocks:
        if len(chosen) >= 2 and sum(unit.spans for unit in chosen) + block.spans > sizes.block_spans:
            break
        chosen.append(block)
    return tuple(chosen)
