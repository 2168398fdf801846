from __future__ import annotations

from dataclasses import replace

from vivace.backend.store.manifest import LogPosition, Manifest
from vivace.backend.store.plan import Merge, Sizes, by_tenant, next_merge
from vivace.backend.store.unit import UnitInfo, UnitKind

SIZES = Sizes(block_spans=100, block_bytes=10_000, block_age_s=30, small_segment_spans=10, small_segments=3)


def unit(identity: str, kind: UnitKind, spans: int, size: int = 1) -> UnitInfo:
    return UnitInfo(identity, kind, spans, traces=1, start_ns=0, end_ns=1, bytes=size)


def segments(*spans: int) -> tuple[UnitInfo, ...]:
    return tuple(unit(f"s{number}", UnitKind.SEGMENT, count) for number, count in enumerate(spans))


def blocks(*spans: int) -> tuple[UnitInfo, ...]:
    return tuple(unit(f"b{number}", UnitKind.BLOCK, count) for number, count in enumerate(spans))


def planned(*units: UnitInfo, age_s: float = 0.0) -> Merge | None:
    return next_merge(Manifest(LogPosition(3, 7), LogPosition(), units), age_s, SIZES)


def test_nothing_is_done_for_little() -> None:
    assert planned() is None
    assert planned(*blocks(100, 100), *segments(5, 5, 50)) is None


def test_enough_spans_bytes_or_age_cut_a_block_of_all_segments() -> None:
    for units, age_s, reason in (
        (segments(60, 40), 0.0, "spans"),
        ((unit("s", UnitKind.SEGMENT, 1, size=10_000),), 0.0, "bytes"),
        (segments(1), 30.0, "age"),
    ):
        merge = planned(*blocks(100), *units, age_s=age_s)
        assert merge == Merge(units, UnitKind.BLOCK, reason, LogPosition(3, 7))


def test_small_segments_become_one() -> None:
    merge = planned(*segments(20, 1, 2, 3))
    assert merge is not None
    assert [one.id for one in merge.segments] == ["s1", "s2", "s3"]
    assert (merge.kind, merge.log) == (UnitKind.SEGMENT, None)


def test_segments_of_tenants_are_counted_and_merged_apart_but_cut_together() -> None:
    mine = tuple(replace(one, tenant="a", id=f"a{one.id}") for one in segments(1, 2, 3))
    yours = tuple(replace(one, tenant="b", id=f"b{one.id}") for one in segments(4, 5))
    merge = planned(*yours, *mine)
    assert merge is not None
    assert merge.segments == mine
    merge = planned(*yours, *mine, age_s=30.0)
    assert merge is not None
    assert merge.segments == (*yours, *mine)
    assert [*by_tenant(merge.segments).values()] == [[*yours], [*mine]]
