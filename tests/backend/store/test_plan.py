from __future__ import annotations

from vivace.backend.store.manifest import LogPosition, Manifest
from vivace.backend.store.plan import Merge, Sizes, next_merge
from vivace.backend.store.unit import UnitInfo, UnitKind

SIZES = Sizes(
    block_spans=100, block_bytes=10_000, block_age_s=30, small_segment_spans=10, small_block_spans=50, small_units=3
)


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
    assert [one.id for one in merge.units] == ["s1", "s2", "s3"]
    assert (merge.kind, merge.log) == (UnitKind.SEGMENT, None)


def test_small_blocks_become_one_that_is_not_too_large() -> None:
    merge = planned(*blocks(10, 200, 20, 30))
    assert merge is not None
    assert [one.id for one in merge.units] == ["b0", "b2", "b3"]
    merge = planned(*blocks(*[49] * 8))
    assert merge is not None
    assert sum(one.spans for one in merge.units) == 2 * 49
