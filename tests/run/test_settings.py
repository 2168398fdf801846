"""What a run is told, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.errors import ConfigurationError
from vivace.profile.library import load_profiles
from vivace.profile.overrides import collect_overrides
from vivace.run.settings import Activity, RunSettings

PROFILES = load_profiles(["small"])


def settings(**changes: object) -> RunSettings:
    return RunSettings(profiles=PROFILES, output=Path("results"), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"otlp_endpoint": "localhost:99999"}, r"--otlp-endpoint localhost:99999: is not host:port"),
        ({"otlp_endpoint": "http://localhost:4317"}, r"without http://"),
        ({"query_endpoint": "nonsense"}, r"--query-endpoint nonsense: is not an HTTP address"),
        ({"query_endpoint": "ftp://host"}, r"is not an HTTP address"),
        ({"otlp_endpoint": "host:4317", "metrics_endpoint": "host"}, r"--metrics-endpoint host: is not"),
        ({"otlp_endpoint": "host:4317"}, r"--query-endpoint is missing"),
        ({"query_endpoint": "http://host:3200"}, r"--otlp-endpoint is missing"),
        ({"target_kind": "embedded", "otlp_endpoint": "host:4317"}, r"leave out one or the other"),
        ({"target_kind": "endpoint"}, r"--target endpoint: no endpoint"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        settings(**changes)


def test_a_run_without_profiles_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no profile to run"):
        RunSettings(profiles=(), output=Path("results"))


def test_the_embedded_backend_is_sent_the_same_every_time() -> None:
    assert settings().seed_of(PROFILES[0]) == settings().seed_of(PROFILES[0]) == 1
    assert settings(seed=7).seed_of(PROFILES[0]) == 7


def test_a_backend_that_exists_is_sent_ids_that_no_other_run_has() -> None:
    existing = settings(otlp_endpoint="host:4317", activity=Activity.INGESTION)
    assert existing.seed_of(PROFILES[0]) != existing.seed_of(PROFILES[0])


def test_a_query_load_that_cannot_be_read_is_refused_before_anything_starts(tmp_path: Path) -> None:
    overrides = collect_overrides([f"query.configuration={tmp_path / 'absent.yaml'}"])
    with pytest.raises(ConfigurationError, match=r"absent\.yaml"):
        RunSettings(profiles=load_profiles(["small"], None, overrides), output=tmp_path)
