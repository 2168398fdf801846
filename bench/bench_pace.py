"""How many due times a schedule gives per second, asked in pieces as a sender asks."""

from __future__ import annotations

import json
from time import perf_counter

from vivace.pace import ConstantRate

EVENTS = 2_000_000
PIECE = 1024


def main() -> None:
    schedule = ConstantRate(6_000.0)
    start = perf_counter()
    for first in range(0, EVENTS, PIECE):
        schedule.due(first, PIECE)
    rate = EVENTS / (perf_counter() - start)
    print(json.dumps({"name": "pace_due_times", "value": round(rate), "unit": "1/s", "piece": PIECE}))


if __name__ == "__main__":
    main()
