"""Good profiles become models with what they say, and defaults for what they leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from pydantic import ValidationError

from vivace.profile.library import load_profile, load_profiles
from vivace.profile.model import Load

FOLDER: Final = Path(__file__).parents[1] / "testdata" / "profiles"


def test_a_profile_with_every_field() -> None:
    profile = load_profile(FOLDER / "full.good.yaml")
    assert profile.name == "full"
    assert profile.tempo.variant == "stack"
    assert profile.tempo.resources is not None
    assert profile.tempo.resources.memory == "8Gi"
    assert profile.load.duration == 5400
    assert (profile.load.vus.min, profile.load.vus.max) == (30, 150)
    assert (profile.load.ingestion.mb_per_second, profile.load.ingestion.trace_profile) == (10, "large")
    assert profile.load.query.queries_per_second == 7.5
    assert profile.target is not None
    assert profile.target.headers == {"x-team": "a"}
    assert (profile.telemetry.seed, profile.telemetry.traces, profile.telemetry.traces_per_request) == (7, 1000, 10)
    assert (profile.query.limit, profile.query.click_probability, profile.query.timeout) == (100, 0.25, 2)
    assert {objective.name: (objective.comparison, objective.threshold) for objective in profile.objectives} == {
        "acknowledged_percent": (">=", 99.9),
        "queries_succeeded_percent": (">=", 99),
        "missing_traces": ("=", 0),
        "wrong_traces": ("=", 0),
        "spans_per_s": (">=", 100_000),
        "mb_per_s": (">", 9.5),
        "visible_p99": ("<=", 750),
        "target_memory": ("<", 2**32),
        "target_cpu_cores": ("<=", 1.5),
    }


def test_what_is_left_out_has_defaults() -> None:
    profile = load_profile(FOLDER / "load.good.yaml")
    assert profile.load.duration == 300
    assert profile.load.vus.max == 1
    assert profile.tempo.variant == "monolithic"
    assert profile.target is None
    assert profile.telemetry.traces_per_request is None
    assert {objective.name: objective.limit for objective in profile.objectives} == {
        "acknowledged_percent": ">= 99.5",
        "queries_succeeded_percent": ">= 99",
        "query_response_p95": "<= 2s",
        "missing_traces": "= 0",
        "wrong_traces": "= 0",
    }


def test_a_profile_does_not_change() -> None:
    profile = load_profile(FOLDER / "load.good.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        profile.load.vus.max = 5  # type: ignore[misc]


def test_code_may_give_a_duration_in_seconds() -> None:
    built_in = load_profiles(["small"])[0].load
    assert Load(duration=1.5, vus=built_in.vus, ingestion=built_in.ingestion, query=built_in.query).duration == 1.5


def test_the_built_in_profiles_have_their_figures() -> None:
    figures = {
        profile.name: (
            profile.load.ingestion.mb_per_second,
            profile.load.query.queries_per_second,
            profile.load.vus.min,
            profile.load.vus.max,
        )
        for profile in load_profiles()
    }
    assert figures == {
        "1x-demo": (0.05, 2, 2, 5),
        "1x-extra-small": (1.2, 5, 5, 20),
        "1x-small": (5.8, 25, 20, 80),
        "1x-medium": (23, 100, 50, 200),
        "small": (0.1, 5, 5, 20),
        "medium": (1, 25, 10, 50),
        "large": (5, 50, 20, 100),
        "xlarge": (20, 100, 50, 200),
    }


def test_the_built_in_profiles_last_five_minutes_and_say_what_they_are_for() -> None:
    for profile in load_profiles():
        assert profile.load.duration == 300
        assert profile.description
