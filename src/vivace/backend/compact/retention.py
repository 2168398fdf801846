"""Which blocks are older than their tenant wants: a pure function of the visible units, the time and the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vivace.backend.store.unit import UnitInfo, UnitKind


def expired(units: Iterable[UnitInfo], now_ns: int, retention_s: Callable[[str], float]) -> tuple[UnitInfo, ...]:
    """Blocks whose last span arrived longer ago than is kept; `retention_s` by tenant, 0 for ever."""
    return tuple(
        unit
        for unit in units
        if unit.kind is UnitKind.BLOCK
        and (kept_s := retention_s(unit.tenant)) > 0
        and unit.aging_from_ns < now_ns - int(kept_s * 1e9)
    )
