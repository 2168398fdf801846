"""The dashboard says what the figures say, at once and to the digit, and needs nothing but itself."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from tests.report import sample
from tests.report.page_reader import Page, at_path

from vivace.ledger import SENDS, read_ledger
from vivace.report.dashboard import dashboard, write_dashboard
from vivace.report.evidence import Evidence, read_evidence

PROFILES = ("1x-medium", "1x-large", "soak", "ingest-only", "query-only")
SCALES = (1.0, 1e3, 1e6, 1e9, 1e12, 1 / 1e3, 6e4, 1e-6)
"""Of a prefix, of seconds written for milliseconds, of minutes."""


def page_of(folder: Path, profile: str) -> Page:
    return Page(dashboard(read_evidence(folder, profile)))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_figure_shown_is_the_one_in_the_json(results: Path, profile: str) -> None:
    document = json.loads((results / f"{profile}.json").read_text())
    shown = page_of(results, profile).figures()
    assert len(shown) > 20
    for path, value, text in shown:
        assert at_path(document, path) == value, path
        found = re.search(r"[\d,]*\.?\d+", text)
        assert found is not None, text
        said = float(found[0].replace(",", ""))
        assert any(said * scale == pytest.approx(value, rel=0.006, abs=5e-4) for scale in SCALES), (path, value, text)


@pytest.mark.parametrize(
    ("profile", "word", "headline"),
    [
        ("1x-medium", "PASS", "All 5 objectives were met, and the books balance."),
        ("1x-large", "FAIL", "4 of 5 objectives were missed."),
        ("soak", "INVALID", "The measurement itself cannot be trusted, so it says nothing about the target."),
        ("query-only", "PASS", "Both objectives were met, and the books balance."),
    ],
)
def test_the_verdict_and_why_come_first(results: Path, profile: str, word: str, headline: str) -> None:
    page = page_of(results, profile)
    assert page.headings()[0] == word
    (banner,) = page.all("div", "banner")
    assert headline in banner.text
    reasons = json.loads((results / f"{profile}.json").read_text())["reasons"]
    assert (word == "PASS") == (reasons == [])
    for reason in reasons:
        assert reason in banner.text


def test_objectives_are_shown_with_limit_actual_and_result(results: Path) -> None:
    (objectives,) = page_of(results, "1x-large").all("div", "objectives")
    assert "query_response_p95<= 2s6.35 s✕ missed" in objectives.text
    assert "wrong_traces= 00 traces✓ met" in objectives.text


def test_sections_follow_the_order_of_interest(results: Path) -> None:
    assert page_of(results, "1x-large").headings()[1:] == [
        "Where everything went",
        "Rate",
        "Latency of export requests",
        "Failures",
        "Read back",
        "Queries",
        "CPU and memory",
        "How far this run can be believed",
        "Configuration",
    ]


def test_what_was_not_measured_is_absent(results: Path) -> None:
    ingestion, query = page_of(results, "ingest-only"), page_of(results, "query-only")
    assert "Queries" not in ingestion.headings()
    assert not [path for path, _, _ in ingestion.figures() if path.startswith("query.")]
    assert not {"Latency of export requests", "Read back"} & set(query.headings())
    assert not [path for path, _, _ in query.figures() if path.startswith(("ingest.", "verification.", "ceiling."))]


def test_without_samples_there_is_no_chart_of_resources(tmp_path: Path) -> None:
    sample.write_run(tmp_path)
    (tmp_path / "1x-medium-metrics.csv").unlink()
    assert "CPU and memory" not in page_of(tmp_path, "1x-medium").headings()


def test_when_nothing_failed_one_calm_line_says_so(results: Path) -> None:
    (calm,) = page_of(results, "1x-medium").all("p", "calm")
    assert calm.text == "None: no export request and no query failed."


def test_failures_are_shown_by_status_with_the_target_s_words(results: Path) -> None:
    page = page_of(results, "1x-large")
    words = {cell.text for cell in page.all("td")}
    assert {
        "RESOURCE_EXHAUSTED",
        "DEADLINE_EXCEEDED",
        "status 503",
        "pushing too fast: the log is 512 MiB ahead",
    } <= words
    names = [{one["name"] for one in chart["series"]} for chart in page.charts()]
    assert {"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"} in names


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_is_fetched_from_anywhere(results: Path, profile: str) -> None:
    text = dashboard(read_evidence(results, profile))
    page = Page(text)
    for one in page.elements:
        assert not {"src", "href", "srcset", "data", "action", "poster", "xlink:href"} & one.attributes.keys()
        assert one.tag not in {"link", "img", "iframe", "object", "embed", "base"}
    style, script = page.all("style")[0].text, page.all("script")[-1].text
    assert not re.search(r"url\(|@import|https?:", style)
    assert not re.search(r"https?:|fetch\(|XMLHttpRequest|import\(", script)


def test_the_policy_lets_the_page_s_own_script_run_and_nothing_else(results: Path) -> None:
    text = dashboard(read_evidence(results, "1x-medium"))
    digest = b64encode(sha256(Page(text).all("script")[-1].text.encode()).digest()).decode()
    (policy,) = (one for one in Page(text).all("meta") if one.attributes.get("http-equiv"))
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def test_words_from_outside_never_become_markup(tmp_path: Path) -> None:
    attack = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"
    hostile = replace(sample.FAILED, profile="p", message=attack, query_name=attack)
    sample.write_run(tmp_path, hostile)
    figures = json.loads((tmp_path / "p.json").read_text())
    figures |= {"profile": attack, "reasons": [attack], "warnings": [attack], "target": {attack: attack}}
    figures["verification"]["problems"] = [attack]
    figures["objectives"][0] |= {"name": attack, "limit": attack}
    (tmp_path / "p.json").write_text(json.dumps(figures))
    calm = Page(dashboard(read_evidence(tmp_path, "p")))
    text = dashboard(read_evidence(tmp_path, "p"))
    assert "<script>alert" not in text
    assert not calm.all("img")
    assert len(calm.all("script")) == len(calm.all("figure")) + 1
    assert calm.all("h1")[0].text == attack
    assert [cell for cell in calm.all("td", "said") if cell.text == attack]
    assert not [name for one in calm.elements for name in one.attributes if name.startswith("on")]


def test_every_chart_holds_a_value_for_every_place(results: Path) -> None:
    for chart in page_of(results, "1x-large").charts():
        places = chart["x"].get("count") or len(chart["x"]["places"])
        assert all(len(one["values"]) == places for one in chart["series"])
        assert any(value is not None for one in chart["series"] for value in one["values"])


def hour_with_a_spike(folder: Path) -> Evidence:
    """An hour at little load, with one request of nine seconds in it and one second without any answer."""
    hour = replace(sample.PASSED, profile="hour", duration_s=3600.0, requests_per_s=4.0, queries_per_s=1.0)
    sample.write_run(folder, hour)
    path = folder / "hour-sends.parquet"
    rows = read_ledger(path, SENDS)
    slow = pl.when(pl.col("request") == 7777).then(pl.col("due_ns") + 9_000_000_000).otherwise(pl.col("ended_ns"))
    rows.with_columns(slow.alias("ended_ns")).write_parquet(path)
    return read_evidence(folder, "hour")


def test_an_hour_stays_small_and_keeps_its_peaks(tmp_path: Path) -> None:
    evidence = hour_with_a_spike(tmp_path)
    path = write_dashboard(evidence, tmp_path / "hour-dashboard.html")
    assert path.stat().st_size < 600_000
    page = Page(path.read_text())
    assert all(chart["x"].get("count", 0) <= 600 for chart in page.charts())
    (over_time,) = (
        chart
        for chart in page.charts()
        if chart["unit"] == "ms"
        and "step" in chart["x"]
        and max(value or 0 for value in chart["series"][0]["values"]) == 9000
    )
    response = next(one for one in over_time["series"] if one["name"] == "response p99")
    assert response["values"][7777 // 4 // 6] == 9000


def test_what_comes_after_the_load_is_shown_when_it_takes_long(results: Path) -> None:
    slow, quick = read_evidence(results, "1x-large"), read_evidence(results, "1x-medium")
    assert quick.seconds == 30
    assert slow.seconds > 30


@pytest.mark.parametrize("seconds", [0.2, 1.0, 12.4])
def test_short_and_interrupted_runs_have_charts_too(tmp_path: Path, seconds: float) -> None:
    sample.write_run(tmp_path, replace(sample.PASSED, duration_s=seconds))
    page = page_of(tmp_path, "1x-medium")
    assert "Rate" in page.headings()
    assert page.charts()


def test_a_run_in_which_nothing_was_answered_is_shown(tmp_path: Path) -> None:
    sample.write_run(tmp_path, replace(sample.FAILED, profile="mute", dropped=1.0, queries_failed=1.0, missing=10**6))
    page = page_of(tmp_path, "mute")
    assert "Latency of export requests" not in page.headings()
    assert "Read back" in page.headings()


def test_figures_that_were_never_judged_say_so(tmp_path: Path) -> None:
    sample.write_run(tmp_path)
    figures = json.loads((tmp_path / "1x-medium.json").read_text())
    del figures["verdict"]
    (tmp_path / "1x-medium.json").write_text(json.dumps(figures))
    assert page_of(tmp_path, "1x-medium").headings()[0] == "NOT JUDGED"


def test_queries_have_a_heat_map_and_outcomes_over_time(results: Path) -> None:
    page = page_of(results, "1x-medium")
    titles = {heading.text for heading in page.all("h3")}
    assert {"Heat map", "Outcomes"} <= titles
    names = [{one["name"] for one in chart["series"]} for chart in page.charts()]
    assert {"p99", "median"} in names
    assert page.all("path", "heat")


def test_checks_of_answers_are_told(results: Path) -> None:
    document = json.loads((results / "1x-medium.json").read_text())
    shown = {path: value for path, value, _ in page_of(results, "1x-medium").figures()}
    assert shown["query.checks.right"] == document["query"]["checks"]["right"]
