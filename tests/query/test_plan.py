"""A plan is gone through in order again and again, and is the same for the same seed."""

from __future__ import annotations

from vivace.query.bucket import TimeBucket
from vivace.query.plan import Action, Journey, NamedQuery, Plan, PlanEntry, Question, Step

QUERIES = (NamedQuery("a", "{ .a }"), NamedQuery("b", "{ .b }"))
BUCKETS = (TimeBucket("recent", 0, 10), TimeBucket("old", 10, 60))
ENTRIES = (PlanEntry("a", "recent"), PlanEntry("b", "recent"), PlanEntry("a", "old"))


def plan(seed: int = 1) -> Plan:
    return Plan(QUERIES, BUCKETS, ENTRIES, seed, click_probability=0.3)


def bucket_of(question: Question) -> str | None:
    return question.bucket.name if question.bucket else None


def test_entries_are_asked_in_order_and_again() -> None:
    asked = [plan().question(number, 100.0) for number in range(6)]
    assert [(one.name, bucket_of(one)) for one in asked] == [("a", "recent"), ("b", "recent"), ("a", "old")] * 2


def test_a_position_goes_before_the_number() -> None:
    assert [plan().question(7, 100.0, position).name for position in range(4)] == ["a", "b", "a", "a"]


def test_buckets_wait_for_their_time() -> None:
    assert bucket_of(plan().question(2, 9.9)) is None
    assert bucket_of(plan().question(2, 59.9)) == "recent"
    assert bucket_of(plan().question(2, 60.0)) == "old"


def test_the_seed_alone_decides_about_clicks() -> None:
    clicks = [plan(7).question(number, 100.0).turns[1:] for number in range(1000)]
    assert clicks == [plan(7).question(number, 100.0).turns[1:] for number in range(1000)]
    assert clicks != [plan(8).question(number, 100.0).turns[1:] for number in range(1000)]
    assert {turn.action for turns in clicks for turn in turns} == {Action.OPEN}
    assert 200 < sum(map(len, clicks)) < 400


def test_a_journey_takes_its_steps_as_often_as_they_are_probable() -> None:
    steps = (Step(Action.ASK, "a"), Step(Action.OPEN, probability=0.25, think_s=2.0), Step(Action.ASK, "b"))
    made = Plan(QUERIES, BUCKETS, (PlanEntry("look", "recent"),), 1, journeys=(Journey("look", steps),))
    asked = [made.question(number, 100.0) for number in range(1000)]
    assert {one.journey for one in asked} == {"look"}
    assert {tuple(turn.action for turn in one.turns) for one in asked} == {
        (Action.ASK, Action.OPEN, Action.ASK),
        (Action.ASK, Action.ASK),
    }
    thinking = [turn.think_s for one in asked for turn in one.turns if turn.action is Action.OPEN]
    assert 170 < len(thinking) < 330
    assert 1.0 <= min(thinking) < 1.2
    assert 2.8 < max(thinking) < 3.0


def test_a_window_of_its_own_is_asked_from_the_start() -> None:
    window = TimeBucket("recorded", 3600, 7200)
    made = Plan(QUERIES, (), (PlanEntry("a", window=window), PlanEntry("b")), 1)
    assert [made.question(number, 0.0).bucket for number in range(2)] == [window, None]
