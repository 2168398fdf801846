"""What is asked when: a plan names queries with their time buckets, and is gone through in order again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from vivace.query.bucket import TimeBucket, eligible_bucket


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A TraceQL search, and what reports call it."""

    name: str
    traceql: str


class PlanEntry(NamedTuple):
    """One step of a plan: names of a query and of a bucket."""

    query: str
    bucket: str


class Question(NamedTuple):
    """What the user of one moment wants to know."""

    query: NamedQuery
    bucket: TimeBucket
    click: float
    """In [0, 1): the user opens the first trace found when this is below the probability of a click."""


class Plan:
    """Pure: the same number, time and seed always give the same question."""

    def __init__(
        self, queries: Sequence[NamedQuery], buckets: Sequence[TimeBucket], entries: Sequence[PlanEntry], seed: int
    ) -> None:
        by_name = {query.name: query for query in queries}
        buckets_by_name = {bucket.name: bucket for bucket in buckets}
        self._entries = [(by_name[entry.query], buckets_by_name[entry.bucket]) for entry in entries]
        self._buckets = buckets
        self._seed = seed

    def question(self, number: int, elapsed_s: float) -> Question:
        """Question `number` of the schedule, due so long after the start."""
        draw = Random(self._seed << 40 ^ number)  # noqa: S311 - nobody's secret
        query, wanted = self._entries[number % len(self._entries)]
        bucket = eligible_bucket(wanted, self._buckets, elapsed_s, draw.random())
        return Question(query, bucket, draw.random())
