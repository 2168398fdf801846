"""What is asked when: a plan names queries or journeys with their time buckets, and is gone through again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import NamedTuple

from vivace.query.bucket import TimeBucket, eligible_bucket
from vivace.query.kind import Kind


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """Something that can be asked, and what reports call it. What its kind does not need is empty."""

    name: str
    traceql: str = ""
    kind: Kind = Kind.SEARCH
    tag: str = ""
    """Whose values are asked for, as TraceQL names it: resource.service.name."""
    step_s: float | None = None
    """Between the samples of a metrics range; None: the target chooses."""
    trace_id: str | None = None
    """Hex, of the trace to open; None: one of those that were sent."""


class Action(StrEnum):
    """What a user does at a step."""

    ASK = "ask"
    OPEN = "open"
    """The first trace that the last search found; nothing when it found none."""
    REPEAT = "repeat"
    """Asks the same once more, of the same window: the answer should be the same."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a journey."""

    action: Action
    query: str = ""
    """Name of what is asked."""
    probability: float = 1.0
    """How often it is taken; when it is not, the journey goes on with the next."""
    think_s: float = 0.0
    """Pause before it, on average: it is drawn evenly from half of that to one and a half."""


@dataclass(frozen=True, slots=True)
class Journey:
    """What one user does, one step after the other."""

    name: str
    steps: tuple[Step, ...]


class PlanEntry(NamedTuple):
    """One turn of a plan: names of a query or journey and of a bucket."""

    query: str
    bucket: str | None = None
    """None: without a time range, or in the window."""
    window: TimeBucket | None = None
    """Instead of a bucket's, and asked from the start: what was recorded is asked as it was."""


class Turn(NamedTuple):
    """A step that is taken."""

    action: Action
    query: NamedQuery | None
    """What is asked; None where the action says it."""
    think_s: float


class Question(NamedTuple):
    """What the user of one moment wants to know."""

    name: str
    """Of the query, or of the journey."""
    journey: str | None
    bucket: TimeBucket | None
    """None: without a time range."""
    turns: tuple[Turn, ...]
    chance: float
    """In [0, 1): which of the traces that were sent is opened."""


class Plan:
    """Pure: the same number, time and seed always give the same question."""

    def __init__(
        self,
        queries: Sequence[NamedQuery],
        buckets: Sequence[TimeBucket],
        entries: Sequence[PlanEntry],
        seed: int,
        *,
        journeys: Sequence[Journey] = (),
        click_probability: float = 0.0,
        repeat_probability: float = 0.0,
    ) -> None:
        self._queries = {query.name: query for query in queries}
        self._by_name = {bucket.name: bucket for bucket in buckets}
        self._journeys = {journey.name: journey for journey in journeys}
        alone = {query.name: _alone(query, click_probability, repeat_probability) for query in queries}
        self._steps: Mapping[str, tuple[Step, ...]] = alone | {each.name: each.steps for each in journeys}
        self._entries = entries
        self._buckets = buckets
        self._seed = seed

    def __len__(self) -> int:
        return len(self._entries)

    def question(self, number: int, elapsed_s: float, position: int | None = None) -> Question:
        """Question `number`, due so long after the start; `position` in the plan, when that is not the number."""
        draw = Random(self._seed << 40 ^ number)  # noqa: S311 - nobody's secret
        entry = self._entries[(number if position is None else position) % len(self._entries)]
        bucket = self._bucket(entry, elapsed_s, draw.random())
        turns = tuple(
            Turn(step.action, self._queries.get(step.query), step.think_s * (0.5 + draw.random()))
            for step in self._steps[entry.query]
            if draw.random() < step.probability
        )
        journey = entry.query if entry.query in self._journeys else None
        return Question(entry.query, journey, bucket, turns, draw.random())

    def _bucket(self, entry: PlanEntry, elapsed_s: float, chance: float) -> TimeBucket | None:
        if entry.bucket is None:
            return entry.window
        return eligible_bucket(self._by_name[entry.bucket], self._buckets, elapsed_s, chance)


def _alone(query: NamedQuery, click_probability: float, repeat_probability: float) -> tuple[Step, ...]:
    """The journey of a query that stands for itself: it is asked, perhaps once more, and perhaps a trace is opened."""
    steps = [Step(Action.ASK, query.name)]
    if repeat_probability > 0:
        steps.append(Step(Action.REPEAT, probability=repeat_probability))
    if query.kind.finds_traces and click_probability > 0:
        steps.append(Step(Action.OPEN, probability=click_probability))
    return tuple(steps)
