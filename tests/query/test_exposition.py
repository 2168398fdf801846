"""The Prometheus metrics have the names that dashboards know."""

from __future__ import annotations

import re
import urllib.request
from contextlib import closing

from prometheus_client import generate_latest

from vivace.query.answer import Answer, Failure, Found
from vivace.query.exposition import Exposition, colliding, metric_name
from vivace.query.kind import Kind


def exposition() -> Exposition:
    made = Exposition("tempo-perf-test", ["resource_service_loadtest", "other query"])
    good, bad = Answer(2_500_000_000, 200, 10, Found(2, 6)), Answer(3_000_000_000, 503, 0, failure=Failure.STATUS)
    made.observe("resource_service_loadtest", Kind.SEARCH, "recent", 2_000_000_000, good)
    made.observe("resource_service_loadtest", Kind.SEARCH, None, 2_000_000_000, bad)
    made.observe("other query", Kind.SEARCH, "recent", 0, Answer(1, None, 0, failure=Failure.TIMEOUT))
    made.observe("other query", Kind.FETCH, "recent", 2_000_000_000, good)
    made.observe("other query", Kind.FETCH, "recent", 2_000_000_000, bad)
    return made


def test_every_name_is_there_with_its_value() -> None:
    text = generate_latest(exposition().registry).decode()
    values = dict(re.findall(r"^(\S+(?: \S+)*) (\S+)$", text, re.M))
    for name, value in {
        "query_load_test_tempo_perf_test_resource_service_loadtest_count": 2,
        "query_load_test_tempo_perf_test_resource_service_loadtest_sum": 1.5,
        'query_load_test_tempo_perf_test_resource_service_loadtest_bucket{le="0.5"}': 1,
        "query_load_test_spans_returned_tempo_perf_test_resource_service_loadtest_sum": 6,
        "query_failures_count_tempo_perf_test_resource_service_loadtest_503": 1,
        "query_failures_count_tempo_perf_test_other_query_timeout": 1,
        'query_load_test_time_bucket_queries_total{bucket_name="recent"}': 2,
        'query_load_test_time_bucket_duration_seconds_count{bucket_name="recent"}': 2,
        'query_load_test_trace_fetch_latency_seconds_count{query_name="other query"}': 2,
        'query_load_test_trace_fetch_failures_total{query_name="other query",status_code="503"}': 1,
    }.items():
        assert float(values[name]) == value, name


def test_they_are_served() -> None:
    port = exposition().serve(0)
    with closing(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)) as answer:
        assert b"query_load_test_time_bucket_queries_total" in answer.read()


def test_names_have_only_what_a_metric_may_have() -> None:
    assert metric_name("a", "", "b-c.d e/ü") == "a_b_c_d_e__"
    assert colliding(["a-b", "c", "a_b", "a b"]) == [("a-b", "a_b"), ("a-b", "a b")]
