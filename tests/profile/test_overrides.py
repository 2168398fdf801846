"""Flags and environment go before the profile, in their order, and the whole is validated again."""

from __future__ import annotations

import pytest

from vivace.errors import ConfigurationError, InvalidDocument
from vivace.profile.document import parse_document
from vivace.profile.library import load_profiles
from vivace.profile.model import Profile
from vivace.profile.overrides import ENVIRONMENT, Override, apply_overrides, collect_overrides
from vivace.profile.validation import validate


def small(overrides: list[Override]) -> Profile:
    return load_profiles(["small"], overrides=overrides)[0]


def problems(overrides: list[Override]) -> str:
    with pytest.raises(InvalidDocument) as raised:
        small(overrides)
    return str(raised.value)


def test_the_environment_goes_before_the_profile() -> None:
    environment = {
        "DURATION": "90s",
        "MB_PER_SECOND": "2.5",
        "QUERIES_PER_SECOND": "7",
        "VUS_MIN": "3",
        "VUS_MAX": "4",
        "TRACE_PROFILE": "xlarge",
        "HOME": "/",
    }
    load = small(collect_overrides(environment=environment)).load
    assert load.duration == 90
    assert (load.ingestion.mb_per_second, load.ingestion.trace_profile) == (2.5, "xlarge")
    assert (load.query.queries_per_second, load.vus.min, load.vus.max) == (7, 3, 4)


def test_an_empty_variable_says_nothing() -> None:
    assert small(collect_overrides(environment=dict.fromkeys(ENVIRONMENT, " "))) == small([])


def test_set_goes_before_the_flag_and_the_flag_before_the_environment() -> None:
    environment = {"DURATION": "1m"}
    assert small(collect_overrides(environment=environment)).load.duration == 60
    assert small(collect_overrides(duration="2m", environment=environment)).load.duration == 120
    assert small(collect_overrides(["k6.duration=3m"], "2m", environment)).load.duration == 180


def test_set_reaches_any_field_and_makes_what_holds_it() -> None:
    profile = small(
        collect_overrides(
            ["objectives.missing_traces=off", "query.limit=5", "tempo.resources={memory: 2Gi}", "description=a = b"]
        )
    )
    assert "missing_traces" not in {objective.name for objective in profile.objectives}
    assert profile.query.limit == 5
    assert profile.tempo.resources is not None
    assert profile.tempo.resources.memory == "2Gi"
    assert profile.description == "a = b"


def test_set_takes_a_comparison_without_quotes() -> None:
    profile = small(collect_overrides(["objectives.mb_per_s=>= 0.09"]))
    assert profile.objectives[-1].limit == ">= 0.09"


@pytest.mark.parametrize("path", ["k6.vus.max", "load.vus.max"])
def test_set_may_say_load_for_k6_whichever_the_profile_has(path: str) -> None:
    body = "{vus: {min: 1, max: 2}, ingestion: {mbPerSecond: 1, traceProfile: small}, query: {queriesPerSecond: 1}}"
    for key in ("k6", "load"):
        document = parse_document(f"name: x\n{key}: {body}\n", "x.yaml")
        assert validate(apply_overrides(document, collect_overrides([f"{path}=9"])), Profile).load.vus.max == 9


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "DURATION",
            "5",
            "k6.duration: is 5, must be a duration; give a number with its unit, such as 30s, 5m or 1h30m",
        ),
        ("MB_PER_SECOND", "lots", 'k6.ingestion.mbPerSecond: is "lots", must be a number; give a number such as 1.2'),
        ("QUERIES_PER_SECOND", "-1", "k6.query.queriesPerSecond: is -1, must be greater than 0; raise it"),
        ("VUS_MIN", "1.5", "k6.vus.min: is 1.5, must be a whole number; give a whole number such as 5"),
        ("VUS_MAX", "0", "k6.vus.max: is 0, must be at least 1; raise it"),
        ("TRACE_PROFILE", "mediun", 'must be one of small, medium, large, xlarge; did you mean "medium"?'),
    ],
)
def test_a_bad_variable_is_named(name: str, text: str, message: str) -> None:
    said = problems(collect_overrides(environment={name: text}))
    assert said.startswith(f"environment variable {name}: ")
    assert message in said


def test_a_contradiction_names_the_override_that_makes_it() -> None:
    said = problems(collect_overrides(environment={"VUS_MIN": "21"}))
    assert said == "environment variable VUS_MIN: k6.vus.max: is 20, less than min (21); raise max or lower min"


def test_a_bad_flag_is_named() -> None:
    assert problems(collect_overrides(duration="soon")).startswith('--duration: k6.duration: is "soon", must be')


def test_a_misspelt_path_is_answered_with_the_field() -> None:
    said = problems(collect_overrides(["k6.vus.maximum=5"]))
    assert said == '--set k6.vus.maximum: k6.vus.maximum: is not a known field; did you mean "max"?'


def test_a_path_through_a_value() -> None:
    said = problems(collect_overrides(["name.first=x"]))
    assert said.startswith("--set name.first: name.first: first cannot be set inside a value that is not a mapping")


@pytest.mark.parametrize("setting", ["k6.vus.max", "=5", "k6..max=5", ""])
def test_a_setting_of_another_form(setting: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not of the form path\.to\.field=value, such as k6\.vus\.max=50"):
        collect_overrides([setting])


def test_a_setting_that_is_torn_yaml() -> None:
    with pytest.raises(ConfigurationError, match=r"--set tempo: {a: is not YAML; close its quotes and brackets"):
        collect_overrides(["tempo={a: "])
