"""Plans made from weights ask each thing as often as it weighs."""

from __future__ import annotations

from collections import Counter

from vivace.query.bucket import TimeBucket
from vivace.query.weights import weighted_plan

BUCKETS = (TimeBucket("recent", 0, 60, 3), TimeBucket("old", 60, 600, 1), TimeBucket("never", 600, 900, 0))


def test_queries_and_buckets_are_met_by_their_weights() -> None:
    plan = weighted_plan({"a": 2, "b": 1, "c": 1, "silent": 0}, BUCKETS)
    counts = Counter(plan)
    assert len(counts) == 6
    for entry, count in counts.items():
        assert abs(count - len(plan) * _share(entry.query, entry.bucket)) <= 1
    assert len(plan) == 200


def test_nothing_is_ever_far_ahead_of_its_share() -> None:
    plan = weighted_plan({"a": 3, "b": 1}, ())
    for turns in range(1, len(plan)):
        asked = sum(entry.query == "a" for entry in plan[:turns])
        assert abs(asked - 0.75 * turns) <= 1


def _share(query: str, bucket: str | None) -> float:
    return {"a": 0.5, "b": 0.25, "c": 0.25}[query] * {"recent": 0.75, "old": 0.25}[bucket or ""]
