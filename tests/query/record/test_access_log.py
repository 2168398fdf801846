"""Access logs of several kinds give the queries, windows and times that they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.errors import ConfigurationError
from vivace.query.configuration.settings import Choices, read_configuration, settings_of
from vivace.query.kind import Kind
from vivace.query.plan import PlanEntry
from vivace.query.record.access_log import LoggedQuery, read_line
from vivace.query.record.plan_file import record
from vivace.query.recorded import Recorded

NOW = 1_795_222_800.0
SEARCH = "/api/search?q=%7B%20status%20%3D%20error%20%7D&limit=7&start=1795219200&end=1795222790"


@pytest.mark.parametrize(
    "line",
    [
        f'10.0.0.1 - - [21/Nov/2026:01:00:00 +0000] "GET {SEARCH} HTTP/1.1" 200 123',
        f'10.0.0.1 - - [21/Nov/2026:03:00:00 +0200] "GET https://tempo.example/gateway{SEARCH} HTTP/1.1" 200 123',
        f'level=info ts=2026-11-21T01:00:00.000000000Z caller=server.go msg="GET {SEARCH} (200) 3.2ms"',
        '{"time":"2026-11-21T01:00:00Z","request":"GET ' + SEARCH.replace("&", "\\u0026") + ' HTTP/1.1"}',
        f"1795222800.000 GET {SEARCH} 200",
    ],
)
def test_a_search_is_read_from_any_log(line: str) -> None:
    assert read_line(line) == LoggedQuery(NOW, Kind.SEARCH, "{ status = error }", limit=7, ages=(10.0, 3600.0))


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("/api/v2/traces/0AF7?start=1&end=2", LoggedQuery(NOW, Kind.TRACE, trace_id="0af7")),
        ("/api/traces/0af7", LoggedQuery(NOW, Kind.TRACE, trace_id="0af7")),
        ("/api/v2/search/tags?scope=span", LoggedQuery(NOW, Kind.TAGS)),
        (
            "/api/v2/search/tag/resource.service.name/values?q=%7B%7D&start=1795222740&end=1795222800",
            LoggedQuery(NOW, Kind.TAG_VALUES, "{}", "resource.service.name", ages=(0.0, 60.0)),
        ),
        (
            "/api/metrics/query_range?q=%7B%7D+%7C+rate%28%29&start=1795222740000000000&end=1795222800000000000&step=5s",
            LoggedQuery(NOW, Kind.METRICS_RANGE, "{} | rate()", step_s=5.0, ages=(0.0, 60.0)),
        ),
        (
            "/api/metrics/query?query=%7B%7D+%7C+rate%28%29&since=15m",
            LoggedQuery(NOW, Kind.METRICS_INSTANT, "{} | rate()", ages=(0.0, 900.0)),
        ),
        ("/api/search?tags=a%3Db", LoggedQuery(NOW, Kind.SEARCH, "{ }")),
    ],
)
def test_every_kind_is_read(url: str, query: LoggedQuery) -> None:
    assert read_line(f'- [21/Nov/2026:01:00:00 +0000] "GET {url} HTTP/1.1" 200') == query


@pytest.mark.parametrize(
    "line",
    ["", "nothing", f'"GET {SEARCH} HTTP/1.1" 200', '[21/Nov/2026:01:00:00 +0000] "GET /api/echo HTTP/1.1"', "\0\xff"],
)
def test_lines_without_a_query_or_its_time_are_passed_over(line: str) -> None:
    assert read_line(line) is None


def test_a_log_becomes_a_plan_that_can_be_asked(tmp_path: Path) -> None:
    log, plan = tmp_path / "access.log", tmp_path / "plan.yaml"
    lines = [
        f'[21/Nov/2026:01:00:00 +0000] "GET {SEARCH} HTTP/1.1"',
        '[21/Nov/2026:01:00:02 +0000] "GET /api/v2/search/tags HTTP/1.1"',
        '[21/Nov/2026:01:00:01 +0000] "GET /api/search?q=%7B%20status%20%3D%20error%20%7D HTTP/1.1"',
        '[21/Nov/2026:01:00:03 +0000] "GET /api/search?q=%7B HTTP/1.1"',
        "not a line",
    ]
    log.write_text("\n".join(lines))
    made = record(log, plan, "http://127.0.0.1:3200", 2.0)
    assert (made.lines, made.queries, made.unusable, made.left_out, made.seconds) == (5, 3, 1, 0, 2.0)
    load = settings_of(read_configuration(plan), Choices(serve_metrics=False), tmp_path / "queries.parquet")
    assert load.pace == Recorded((0.0, 1.0, 2.0), 2.0)
    assert [entry.query for entry in load.plan] == ["search_1", "search_1", "tags_1"]
    assert load.plan[0].window is not None
    assert (load.plan[0].window.age_start_s, load.plan[0].window.age_end_s) == (10.0, 3600.0)
    assert load.plan[1] == PlanEntry("search_1")
    assert (load.limit, load.click_probability) == (7, 0.0)


def test_a_log_that_is_longer_than_a_plan_may_be_is_cut(tmp_path: Path) -> None:
    log, plan = tmp_path / "access.log", tmp_path / "plan.yaml"
    line = '[21/Nov/2026:{:02}:{:02}:{:02} +0000] "GET /api/search?q=%7B%7D&start=1795219200&end=1795222790 HTTP/1.1"'
    log.write_text("\n".join(line.format(n // 3600, n // 60 % 60, n % 60) for n in range(30_000)))
    made = record(log, plan, "http://127.0.0.1:3200")
    assert made.queries + made.left_out == 30_000
    assert made.left_out > 0
    assert plan.stat().st_size <= 2**20


def test_a_log_without_queries_is_refused(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text("nothing\nat all\n")
    with pytest.raises(ConfigurationError, match="none of 2 lines holds a query"):
        record(tmp_path / "access.log", tmp_path / "plan.yaml", "http://127.0.0.1:3200")


def test_a_log_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        record(tmp_path / "access.log", tmp_path / "plan.yaml", "http://127.0.0.1:3200")
