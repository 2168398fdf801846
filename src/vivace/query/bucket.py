"""Time buckets: how far back a query looks. Which may be asked depends on how long the test has run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple


class Window(NamedTuple):
    """What a query covers, in whole Unix seconds."""

    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class TimeBucket:
    """From `age_end_s` ago until `age_start_s` ago."""

    name: str
    age_start_s: float
    age_end_s: float
    weight: float = 1.0
    """How often it stands in for a bucket that may not be asked yet."""

    def window(self, now_s: float) -> Window:
        """The seconds that it covers, of which the first and the last in whole."""
        return Window(floor(now_s - self.age_end_s), ceil(now_s - self.age_start_s))


def eligible_bucket(
    wanted: TimeBucket, buckets: Sequence[TimeBucket], elapsed_s: float, chance: float
) -> TimeBucket | None:
    """The wanted bucket once the test has run for as long as it reaches back; until then another that may be asked,
    chosen by weight and `chance` in [0, 1); None while there is none.
    """
    if wanted.age_end_s <= elapsed_s:
        return wanted
    eligible = [bucket for bucket in buckets if bucket.age_end_s <= elapsed_s and bucket.weight > 0]
    mark = chance * sum(bucket.weight for bucket in eligible)
    for bucket in eligible:
        mark -= bucket.weight
        if mark < 0:
            return bucket
    return eligible[-1] if eligible else None
