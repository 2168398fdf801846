"""Which segments to make one, or blocks of: a pure function of the manifest and of how old the segments are.

Blocks are made fewer by the compactor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vivace.backend.store.manifest import LogPosition, Manifest
from vivace.backend.store.unit import UnitInfo, UnitKind


@dataclass(frozen=True, slots=True)
class Sizes:
    """When segments are made one."""

    block_spans: int = 500_000
    """Segments with so many spans become a block."""
    block_bytes: int = 512 << 20
    """Segments of this size become a block, however few their spans."""
    block_age_s: float = 30.0
    """Segments of this age become a block."""
    small_segment_spans: int = 16_000
    small_segments: int = 8
    """So many small segments of a tenant become one."""


DEFAULT_SIZES: Final = Sizes()


@dataclass(frozen=True, slots=True)
class Merge:
    """Segments to be made few units of a kind, each tenant's by themselves, for a reason in one word."""

    segments: tuple[UnitInfo, ...]
    kind: UnitKind
    reason: str
    log: LogPosition | None = None
    """Set when they become blocks: no segment before it is left then."""


def next_merge(manifest: Manifest, oldest_s: float, sizes: Sizes = DEFAULT_SIZES) -> Merge | None:
    """What to merge next, if anything; `oldest_s` is the age of the oldest segment, 0 without one.

    The segments of all tenants become blocks together, so that the log before them can go.
    """
    segments = tuple(unit for unit in manifest.units if unit.kind is UnitKind.SEGMENT)
    if segments and (reason := _cut_reason(segments, oldest_s, sizes)):
        return Merge(segments, UnitKind.BLOCK, reason, manifest.log)
    small = by_tenant(unit for unit in segments if unit.spans < sizes.small_segment_spans)
    many = tuple(unit for units in small.values() if len(units) >= sizes.small_segments for unit in units)
    return Merge(many, UnitKind.SEGMENT, "small") if many else None


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
