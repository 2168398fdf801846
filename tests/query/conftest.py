"""A small load, which tests change to what they are about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vivace.pace import ConstantRate
from vivace.query.bucket import TimeBucket
from vivace.query.plan import NamedQuery, PlanEntry
from vivace.query.settings import QuerySettings


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., QuerySettings]:
    """A small load; what a test is about it gives by name."""

    def make(**changes: Any) -> QuerySettings:
        values: dict[str, Any] = {
            "base_url": "http://127.0.0.1:1",
            "queries": (NamedQuery("all", "{ }"), NamedQuery("errors", "{ status = error }")),
            "buckets": (TimeBucket("recent", 0, 5),),
            "plan": (PlanEntry("all", "recent"), PlanEntry("errors", "recent")),
            "pace": ConstantRate(50.0),
            "vus_min": 2,
            "vus_max": 20,
            "duration_s": 1.0,
            "timeout_s": 5.0,
            "ledger": tmp_path / "queries.parquet",
        }
        return QuerySettings(**values | changes)

    return make
