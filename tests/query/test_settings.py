"""What is wrong with a load is said before it starts, all at once, a line for each."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from vivace.errors import ConfigurationError
from vivace.query.bucket import TimeBucket
from vivace.query.limiter import Limiter
from vivace.query.plan import NamedQuery, PlanEntry
from vivace.query.settings import QuerySettings

Make = Callable[..., QuerySettings]


def test_settings_travel_to_another_process(settings: Make) -> None:
    made = settings(tenant="t", headers={"X-Extra": "1"})
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - what was just written


def test_headers_of_every_request(settings: Make) -> None:
    made = settings(tenant="team-a", bearer="secret", headers={"X-Extra": "1"})
    assert made.all_headers() == {"X-Extra": "1", "X-Scope-OrgID": "team-a", "Authorization": "Bearer secret"}
    assert "secret" not in repr(made)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"base_url": "127.0.0.1:3200"}, "base URL: '127.0.0.1:3200' is no http address"),
        ({"base_url": "http://[::1"}, "base URL"),
        ({"base_url": "http://host:99999"}, "base URL"),
        ({"pace": Limiter(0, 5)}, "target QPS: 0 is not above zero"),
        ({"pace": Limiter(float("inf"), 5)}, "target QPS: inf"),
        ({"pace": Limiter(5, 0)}, "total concurrency: 0 workers"),
        ({"pace": Limiter(5, 5, burst_multiplier=0)}, "burst multiplier: 0 is not above zero"),
        ({"pace": Limiter(5, 5, qps_multiplier=-1)}, "QPS multiplier: -1 is not above zero"),
        ({"duration_s": -1}, "duration: -1"),
        ({"timeout_s": 0}, "timeout: 0"),
        ({"vus_min": 0}, "vus: 0 to 20 is no range"),
        ({"vus_max": 1}, "vus: 2 to 1 is no range"),
        ({"limit": 0}, "limit: 0"),
        ({"largest_answer": 0}, "largest answer: 0"),
        ({"click_probability": 1.1}, "click probability: 1.1"),
        ({"seed": -1}, "seed: -1"),
        ({"plan": ()}, "plan: has no entries"),
        ({"plan": (PlanEntry("all", "never"),)}, "entry 1 names the bucket 'never'"),
        ({"plan": (PlanEntry("all", "recent"), PlanEntry("x", "recent"))}, "entry 2 names the query 'x'"),
        ({"queries": (NamedQuery("all", "{}"),) * 2, "plan": (PlanEntry("all", "recent"),)}, "'all' is there 2 times"),
        (
            {"queries": (NamedQuery("all", "{ .a = }"), NamedQuery("errors", "{}"))},
            "'all': parse error at line 1, col 8",
        ),
        ({"queries": (NamedQuery("all", "{} | rate()"), NamedQuery("errors", "{}"))}, "'all' asks for metrics"),
        ({"buckets": (TimeBucket("recent", 5, 5),)}, "buckets: 'recent' reaches from 5 s ago until 5 s ago"),
        ({"buckets": (TimeBucket("recent", -1, 5),)}, "buckets: 'recent'"),
        ({"buckets": (TimeBucket("recent", 0, float("nan")),)}, "buckets: 'recent'"),
        ({"buckets": (TimeBucket("recent", 0, 5, weight=-1),)}, "the weight -1"),
        ({"buckets": (TimeBucket("recent", 0, 5, weight=0),)}, "all weights are zero"),
        ({"buckets": (TimeBucket("recent", 0, 5), TimeBucket("old", 4, 9))}, "'old' and 'recent' overlap between 4 s"),
        ({"retries": -1}, "retries: -1"),
        ({"repeat_probability": 2}, "repeat probability: 2"),
        ({"metrics_port": 70_000}, "metrics port: 70000"),
        ({"headers": {"X Y": "1"}}, "headers: 'X Y' is no header's name"),
        ({"tenant": "a\nb"}, "headers: the value of 'X-Scope-OrgID'"),
    ],
)
def test_what_cannot_be_is_refused(settings: Make, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(**change)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_problems_are_said_at_once(settings: Make) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(limit=0, timeout_s=0, plan=())
    assert len(str(caught.value).splitlines()) == 3
