"""A plan is gone through in order again and again, and is the same for the same seed."""

from __future__ import annotations

from collections import Counter

from vivace.query.bucket import TimeBucket
from vivace.query.plan import NamedQuery, Plan, PlanEntry

QUERIES = (NamedQuery("a", "{ .a }"), NamedQuery("b", "{ .b }"))
BUCKETS = (TimeBucket("recent", 0, 10), TimeBucket("old", 10, 60))
ENTRIES = (PlanEntry("a", "recent"), PlanEntry("b", "recent"), PlanEntry("a", "old"))


def plan(seed: int = 1) -> Plan:
    return Plan(QUERIES, BUCKETS, ENTRIES, seed)


def test_entries_are_asked_in_order_and_again() -> None:
    asked = [plan().question(number, 100.0) for number in range(6)]
    assert [(q.query.name, q.bucket.name) for q in asked] == [("a", "recent"), ("b", "recent"), ("a", "old")] * 2


def test_buckets_wait_for_their_time() -> None:
    assert plan().question(2, 59.9).bucket.name == "recent"
    assert plan().question(2, 60.0).bucket.name == "old"


def test_the_seed_alone_decides_about_clicks() -> None:
    clicks = [plan(7).question(number, 100.0).click for number in range(1000)]
    assert clicks == [plan(7).question(number, 100.0).click for number in range(1000)]
    assert clicks != [plan(8).question(number, 100.0).click for number in range(1000)]
    assert all(0 <= click < 1 for click in clicks)
    tenths = Counter(int(click * 10) for click in clicks)
    assert min(tenths.values()) > 50
