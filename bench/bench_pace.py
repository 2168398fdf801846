"""How many due times a schedule gives per second, asked in pieces as a sender asks."""

from __future__ import annotations

import json
from time import perf_counter

import numpy as np

from vivace.pace import ConstantRate, RequestSchedule, Schedule, parse_stages

EVENTS = 2_000_000
PIECE = 1024


def measure(name: str, schedule: Schedule) -> None:
    start = perf_counter()
    for first in range(0, EVENTS, PIECE):
        schedule.due(first, PIECE)
    rate = EVENTS / (perf_counter() - start)
    print(json.dumps({"name": name, "value": round(rate), "unit": "1/s", "piece": PIECE}))


def main() -> None:
    stages = parse_stages(
        "ramp 0 -> 6k/s for 5m, bursts 1k/s -> 20k/s of 1s every 10s for 10m, diurnal 0 -> 6k/s for 24h"
    )
    measure("pace_due_times", ConstantRate(6_000.0))
    measure("pace_due_times_of_stages", stages)
    measure("pace_due_times_of_requests", RequestSchedule(stages, np.arange(1, 1000), 0.5))


if __name__ == "__main__":
    main()
