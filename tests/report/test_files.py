"""Logs for people and flat metrics for programs, per kind of load."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vivace.errors import OutputError
from vivace.measure.figures import read_figures
from vivace.report.files import ingestion_log, ingestion_metrics, query_log, query_metrics, write_files


def test_a_combined_run_leaves_four_files(results: Path, tmp_path: Path) -> None:
    written = write_files(read_figures(results / "1x-medium.json"), tmp_path)
    assert [path.name for path in written] == [
        "1x-medium-ingestion.log",
        "1x-medium-ingestion-metrics.json",
        "1x-medium-query.log",
        "1x-medium-query-metrics.json",
    ]
    assert sorted(tmp_path.iterdir()) == sorted(written)


@pytest.mark.parametrize(("profile", "kind"), [("ingest-only", "ingestion"), ("query-only", "query")])
def test_what_was_not_done_leaves_no_file(results: Path, tmp_path: Path, profile: str, kind: str) -> None:
    written = write_files(read_figures(results / f"{profile}.json"), tmp_path)
    assert [path.name for path in written] == [f"{profile}-{kind}.log", f"{profile}-{kind}-metrics.json"]


def test_a_log_says_the_verdict_and_every_figure(results: Path) -> None:
    text = ingestion_log(read_figures(results / "1x-large.json"))
    assert text is not None
    lines = text.splitlines()
    assert lines[0] == "1x-large, ingestion: FAIL"
    assert "- missing_traces is 2 traces, but must be = 0" in lines
    said = {name.strip(" ."): value for name, _, value in (line.partition(": ") for line in lines)}
    assert said["spans_offered"] == "18,000,000"
    assert said["requests_failed{RESOURCE_EXHAUSTED}"] == "65"
    assert said["traces_missing"] == "2"
    assert said["response"].startswith("med=162 ms p(90)=266 ms p(95)=315 ms p(99)=430 ms")


def test_the_log_of_queries_has_each_query_and_bucket(results: Path) -> None:
    text = query_log(read_figures(results / "query-only.json"))
    assert text is not None
    assert "response{query:errors in checkout}" in text
    assert "response{bucket:yesterday}" in text


def test_metrics_are_flat_numbers_under_known_names(results: Path) -> None:
    figures = read_figures(results / "1x-large.json")
    assert figures.ingest is not None
    assert figures.ingest.service_ms is not None
    assert figures.query is not None
    ingestion, query = ingestion_metrics(figures), query_metrics(figures)
    assert ingestion["ingest.offered_spans"] == figures.ingest.offered_spans
    assert ingestion["tempo_ingestion_spans_total"] == figures.ingest.acknowledged_spans
    assert ingestion["tempo_ingestion_duration_seconds.p(99)"] == figures.ingest.service_ms.p99 / 1000
    assert ingestion["iterations"] == 1750
    assert ingestion["verification.missing_traces"] == 2
    assert query["tempo_query_failures_total"] == query["query.failed"] == figures.query.failed
    assert query["query.by_bucket.yesterday.queries_per_s"] == figures.query.by_bucket["yesterday"].queries_per_s
    assert all(isinstance(value, int | float) for value in [*ingestion.values(), *query.values()])


def test_what_is_written_is_json(results: Path, tmp_path: Path) -> None:
    figures = read_figures(results / "1x-medium.json")
    write_files(figures, tmp_path)
    assert json.loads((tmp_path / "1x-medium-query-metrics.json").read_text()) == query_metrics(figures)


def test_a_folder_that_cannot_be_written_is_named(results: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"missing/1x-medium-ingestion.log: cannot be written: .*; make room"):
        write_files(read_figures(results / "1x-medium.json"), tmp_path / "missing")
