"""A load's file is read whole, or every problem is named at once with file, line, field and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.errors import InvalidDocument
from vivace.pace import ConstantRate, Stages
from vivace.query.bucket import TimeBucket
from vivace.query.configuration.model import CONFIGURATION_PATH
from vivace.query.configuration.settings import (
    ENDLESS_S,
    Choices,
    configuration_path,
    read_configuration,
    settings_of,
)
from vivace.query.kind import Kind
from vivace.query.limiter import Limiter
from vivace.query.plan import Action, NamedQuery, PlanEntry
from vivace.query.settings import QuerySettings

WORKERS = Path(__file__).parents[2] / "testdata" / "query" / "workers.good.yaml"
JOURNEYS = WORKERS.with_name("journeys.good.yaml")
HEAD = """\
tempo: {queryEndpoint: "http://127.0.0.1:3200"}
query: {totalConcurrency: 5, targetQPS: 50}
"""
BUCKETS = "timeBuckets: [{name: recent, ageStart: 0s, ageEnd: 1m}]\n"
QUERIES = "queries: [{name: all, traceql: '{ }'}]\n"
QUERY = HEAD + BUCKETS + "queries:\n  - "
JOURNEY = HEAD + BUCKETS + QUERIES + "journeys:\n  - "
PLAN = "executionPlan: [{queryName: all, bucketName: recent}]\n"


def load_of(path: Path, tmp_path: Path, **choices: object) -> QuerySettings:
    return settings_of(read_configuration(path), Choices(**choices), tmp_path / "queries.parquet")  # type: ignore[arg-type]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "load.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_load_of_workers(tmp_path: Path) -> None:
    load = load_of(WORKERS, tmp_path)
    assert load.base_url == "https://tempo-simplest-gateway:8080"
    assert (load.namespace, load.tenant) == ("tempo-perf-test", "tenant-1")
    assert load.pace == Limiter(50, 50, 2.0, 1.0)
    assert (load.limit, load.click_probability, load.metrics_port, load.retries) == (1000, 0.5, 2112, 0)
    assert load.buckets == (
        TimeBucket("recent", 10, 60, 50),
        TimeBucket("ingester", 60, 300, 40),
        TimeBucket("backend", 300, 900, 10),
    )
    assert load.queries == (NamedQuery("resource_service_loadtest", '{ resource.service.name = "frontend" }'),)
    assert load.plan == (PlanEntry("resource_service_loadtest", "recent"),)
    assert load.duration_s == ENDLESS_S
    assert load.bearer_file == Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def test_the_load_of_journeys(tmp_path: Path) -> None:
    load = load_of(JOURNEYS, tmp_path)
    assert {query.kind for query in load.queries} == set(Kind) - {Kind.FETCH}
    (journey,) = load.journeys
    assert [step.action for step in journey.steps] == [Action.ASK, Action.ASK, Action.ASK, Action.REPEAT, Action.OPEN]
    assert isinstance(load.pace, Stages)
    assert load.duration_s == 90.0
    assert {entry.query for entry in load.plan} >= {"explore", "errors", "rate"}
    assert all(entry.query != "silent" for entry in load.plan)


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    load = load_of(WORKERS, tmp_path, endpoint="http://other:1", duration_s=5.0, seed=9, metrics_port=0)
    assert (load.base_url, load.duration_s, load.seed, load.metrics_port) == ("http://other:1", 5.0, 9, 0)
    assert load_of(WORKERS, tmp_path, serve_metrics=False).metrics_port is None


def test_the_file_is_named_by_argument_environment_or_container() -> None:
    both = {"TEMPO_CONFIG_FILE": "/a.yaml", "CONFIG_FILE": "/b.yaml"}
    assert configuration_path(Path("/c.yaml"), both) == Path("/c.yaml")
    assert configuration_path(None, both) == Path("/a.yaml")
    assert configuration_path(None, {"CONFIG_FILE": "/b.yaml"}) == Path("/b.yaml")
    assert configuration_path(None, {"CONFIG_FILE": ""}) == CONFIGURATION_PATH == Path("/config/config.yaml")


def test_a_token_is_sent_when_there_is_one(tmp_path: Path) -> None:
    token = tmp_path / "token"
    load = load_of(WORKERS, tmp_path, token_file=token)
    assert "Authorization" not in load.all_headers()
    token.write_text("secret\n")
    assert load.all_headers()["Authorization"] == "Bearer secret"
    assert load.all_headers()["X-Scope-OrgID"] == "tenant-1"


def test_an_open_model_has_the_target_s_rate(tmp_path: Path) -> None:
    text = HEAD.replace("50}", "50, qpsMultiplier: 1.5, model: open}") + BUCKETS + QUERIES + PLAN
    load = load_of(written(tmp_path, text), tmp_path)
    assert load.pace == ConstantRate(75.0)
    assert load.vus_max == 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "document: is empty"),
        (HEAD, "queries: is missing"),
        (HEAD + "queries: []\n", "3: queries: is empty"),
        (HEAD + BUCKETS + QUERIES + "executionPlan: []\n", "5: executionPlan: is empty; name at least one query"),
        (
            HEAD + BUCKETS + QUERIES + "executionPlan:\n  - {queryName: al, bucketName: recent}\n",
            '6: executionPlan[0].queryName: is "al", which queries does not have; did you mean "all"?',
        ),
        (
            HEAD + BUCKETS + QUERIES + "executionPlan:\n  - {queryName: all, bucketName: old}\n",
            '6: executionPlan[0].bucketName: is "old", which timeBuckets does not have',
        ),
        (
            QUERY + "{name: bad, traceql: '{ .a = '}\n",
            "5: queries[0].traceql: is not valid: parse error at line 1, col 8",
        ),
        (
            QUERY + "{name: bad, traceql: '{} | rate()'}\n",
            "queries[0].traceql: asks for metrics",
        ),
        (
            QUERY + "{name: bad, kind: metrics_range, traceql: '{}'}\n",
            "queries[0].traceql: does not ask for metrics",
        ),
        (QUERY + "{name: bad}\n", "5: queries[0].traceql: is missing; add it"),
        (QUERY + "{name: bad, kind: tag_values}\n", "5: queries[0].tag: is missing; add it"),
        (QUERY + "{name: bad, kind: tag_values, tag: 'a b'}\n", "queries[0].tag: is not valid"),
        (QUERY + "{name: bad, kind: trace, traceId: xyz}\n", "is no trace ID"),
        (QUERY + "{name: bad, kind: sear, traceql: '{}'}\n", 'did you mean "search"?'),
        (
            QUERY + "{name: a, traceql: '{}'}\n  - {name: a, traceql: '{}'}\n",
            '6: queries[1].name: is "a" again, as in line 5',
        ),
        (
            QUERY + "{name: a-b, traceql: '{}'}\n  - {name: a_b, traceql: '{}'}\n",
            "metrics would have the same names",
        ),
        (
            HEAD + QUERIES + "timeBuckets:\n  - {name: a, ageStart: 1m, ageEnd: 10s}\n",
            "5: timeBuckets[0].ageEnd: is 10 s, not above ageStart (60 s)",
        ),
        (
            HEAD
            + QUERIES
            + "timeBuckets:\n  - {name: a, ageStart: 0s, ageEnd: 1m}\n  - {name: b, ageStart: 30s, ageEnd: 2m}\n",
            '6: timeBuckets[1].ageStart: begins 30 s ago, inside "a", which reaches back 60 s',
        ),
        (
            HEAD + QUERIES + "timeBuckets:\n  - {name: a, ageStart: 0s, ageEnd: 1m, weight: 0}\n",
            "4: timeBuckets: have weights that are all zero",
        ),
        (
            HEAD + BUCKETS + "queries: [{name: all, traceql: '{ }', weight: 0}]\n",
            "queries: have weights that are all zero",
        ),
        (
            HEAD.replace("50}", "50, clickProbability: 1.1}") + BUCKETS + QUERIES,
            "query.clickProbability: is 1.1, must be",
        ),
        (HEAD.replace("50}", "0}") + BUCKETS + QUERIES, "query.targetQPS: is 0, must be greater than 0"),
        (HEAD.replace("5,", "0,") + BUCKETS + QUERIES, "query.totalConcurrency: is 0, must be at least 1"),
        (HEAD.replace("50}", "50, schedule: [ramp 5]}") + BUCKETS + QUERIES, "query.schedule: stage 1"),
        (HEAD.replace("http://", "") + BUCKETS + QUERIES, '1: tempo.queryEndpoint: "127.0.0.1:3200" is not an address'),
        (
            JOURNEY + "{name: j, steps: [{query: x}]}\n",
            "journeys[0].steps[0].query: is",
        ),
        (
            JOURNEY + "{name: j, steps: [{action: open}]}\n",
            "is open, with nothing before",
        ),
        (JOURNEY + "{name: j, steps: []}\n", "journeys[0].steps: is empty"),
        (
            HEAD + BUCKETS + QUERIES + "executionPlan:\n  - {queryName: all, at: 2s}\n  - {queryName: all, at: 1s}\n",
            "executionPlan[1].at: is 1 s, before the entry in front of it (2 s)",
        ),
        (
            HEAD + BUCKETS + QUERIES + "executionPlan:\n  - {queryName: all, at: 2s}\n  - {queryName: all}\n",
            "executionPlan[1].at: is missing",
        ),
        (HEAD + BUCKETS + QUERIES + "objectives: {query_response_p95: soon}\n", "objectives"),
        (HEAD + BUCKETS + QUERIES + "surprise: 1\n", "5: surprise: is not a known field"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        read_configuration(written(tmp_path, text))
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1, str(caught.value)


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    text = (
        HEAD.replace("50}", "50, clickProbability: 2}")
        + "timeBuckets: [{name: a, ageStart: 1m, ageEnd: 1s}]\n"
        + "queries:\n  - {name: x, traceql: '{'}\n"
        + "executionPlan: [{queryName: y, bucketName: b}]\n"
    )
    with pytest.raises(InvalidDocument) as caught:
        read_configuration(written(tmp_path, text))
    assert [problem.line for problem in caught.value.problems] == [2, 3, 5, 6, 6]
