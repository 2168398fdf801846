"""Weights -> a plan in which each thing is asked as often as it weighs, evenly mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from vivace.query.bucket import TimeBucket
from vivace.query.plan import PlanEntry

LEAST_TURNS: Final = 200
TURNS_PER_ENTRY: Final = 10


def weighted_plan(names: Mapping[str, float], buckets: Sequence[TimeBucket]) -> tuple[PlanEntry, ...]:
    """Turns in which every name meets every bucket by the product of their weights; what weighs nothing is left out.

    At each turn every entry gains its weight, and the one that has gained most is taken and gives back the sum of
    all: so no entry is ever far ahead of its share.
    """
    weights = {
        PlanEntry(name, bucket.name if bucket else None): weight * (bucket.weight if bucket else 1.0)
        for name, weight in names.items()
        for bucket in buckets or (None,)
    }
    entries = [entry for entry, weight in weights.items() if weight > 0]
    total = sum(weights.values())
    gained = dict.fromkeys(entries, 0.0)
    plan = []
    for _ in range(max(LEAST_TURNS, TURNS_PER_ENTRY * len(entries))):
        for entry in entries:
            gained[entry] += weights[entry]
        chosen = max(entries, key=gained.__getitem__)
        gained[chosen] -= total
        plan.append(chosen)
    return tuple(plan)
