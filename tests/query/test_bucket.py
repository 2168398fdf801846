"""Which bucket a query looks into, and which seconds that is."""

from __future__ import annotations

import pytest

from vivace.query.bucket import TimeBucket, Window, eligible_bucket

RECENT = TimeBucket("recent", 0, 10, weight=3)
EARLIER = TimeBucket("earlier", 10, 60, weight=1)
OLDEST = TimeBucket("oldest", 60, 300, weight=6)
ALL = (RECENT, EARLIER, OLDEST)


def test_a_window_covers_the_bucket_in_whole_seconds() -> None:
    assert EARLIER.window(1000.5) == Window(940, 991)
    assert TimeBucket("now", 0, 0.1).window(1000.0) == Window(999, 1000)


@pytest.mark.parametrize("elapsed_s", [60.0, 61.0, 1e6])
def test_a_bucket_is_asked_once_the_test_is_as_old_as_it_reaches(elapsed_s: float) -> None:
    assert eligible_bucket(EARLIER, ALL, elapsed_s, 0.5) is EARLIER


@pytest.mark.parametrize(("chance", "bucket"), [(0.0, RECENT), (0.74, RECENT), (0.76, EARLIER), (0.999, EARLIER)])
def test_until_then_another_stands_in_by_weight(chance: float, bucket: TimeBucket) -> None:
    assert eligible_bucket(OLDEST, ALL, 299.9, chance) is bucket


def test_at_the_beginning_no_bucket_may_be_asked() -> None:
    assert eligible_bucket(OLDEST, ALL, 9.9, 0.5) is None


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_a_bucket_without_weight_stands_in_for_none(chance: float) -> None:
    silent = TimeBucket("silent", 0, 1, weight=0)
    assert eligible_bucket(OLDEST, (silent, RECENT, EARLIER, OLDEST), 20.0, chance) is RECENT
    assert eligible_bucket(silent, (silent, RECENT), 1.0, chance) is silent
