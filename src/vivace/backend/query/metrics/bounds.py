"""How much one metrics query may take, and what it is told when that is not enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vivace.errors import QueryError
from vivace.traceql.tree import Hint

MOST_EXEMPLARS: Final = 100
"""Of one query; also what it gets when it does not say."""
MOST_SERIES: Final = 1000
"""Of an answer that does not say how many."""
MOST_GROUPS: Final = 50_000
"""Distinct values of by() that are counted at all."""
MOST_VALUES: Final = 10_000
"""Distinct values of an attribute that compare() counts."""
MOST_COUNTED: Final = 10_000_000
"""Counters that all units together contribute to one aggregate: groups by steps, and for histograms by buckets."""
MOST_POINTS: Final = 1_000_000
"""Of an answer: series by points in time."""
MOST_CELLS: Final = 4_000_000
"""Of what a second stage, or arithmetic, is computed from: series by points in time."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a request allows itself; 0 for `series` is the default."""

    series: int = 0
    exemplars: int = 0

    def most_series(self, points: int) -> int:
        """How many series of so many points the answer may have."""
        return max(1, min(self.series or MOST_SERIES, MOST_POINTS // points))


def asked_bounds(series: int, exemplars: int, hints: Iterable[Hint]) -> Bounds:
    """Those of a request over a range; 0 is the default. The hint `exemplars` is a number, or true or false."""
    for hint in hints:
        if hint.name == "exemplars" and isinstance(hint.value.value, int):
            if hint.value.value is False:
                return Bounds(series, 0)
            exemplars = 0 if hint.value.value is True else max(0, hint.value.value)
    return Bounds(series, min(exemplars or MOST_EXEMPLARS, MOST_EXEMPLARS))


def too_many_series(most: int) -> str:
    """What a partial answer says."""
    return (
        f"Response exceeds maximum series limit of {most}, a partial response is returned;"
        " filter more, or group by fewer values"
    )


class TooManyGroups(QueryError):
    """A query has more groups than are counted."""


def check_groups(groups: int, most: int = MOST_GROUPS) -> None:
    """TooManyGroups when there are more than that."""
    if groups > most:
        raise TooManyGroups(
            f"by() gives more than {most} groups; filter more, ask for a shorter time, or group by fewer values"
        )


def check_cells(series: int, points: int) -> None:
    """QueryError when what a later stage needs as a whole is too much."""
    if series * points > MOST_CELLS:
        raise QueryError(
            f"a later stage needs {series} series of {points} points, more than {MOST_CELLS} values;"
            " lengthen the step, filter more, or group by fewer values"
        )


def check_counted(counters: int) -> None:
    """QueryError when units contribute too much."""
    if counters > MOST_COUNTED:
        raise QueryError(
            f"the query needs more than {MOST_COUNTED} counters; lengthen the step, filter more,"
            " ask for a shorter time, or group by fewer values"
        )
