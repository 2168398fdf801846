from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from vivace.backend.query.exposition import OTHERS, TENANTS, Metrics
from vivace.backend.query.workers import Abandoned, Overloaded
from vivace.errors import QueryError


def test_what_several_processes_count_is_one_family(tmp_path: Path) -> None:
    for process in ("indexer", "receiver"):
        registry = CollectorRegistry()
        Counter("spans", f"As the {process} counts.", ["process"], registry=registry).labels(process).inc(3)
        (tmp_path / f"{process}.prom").write_bytes(generate_latest(registry))
    metrics = Metrics()
    metrics.observe("GET", "api_search", 200, 0.1)
    text = metrics.text(tmp_path).decode()
    assert text.count("# TYPE spans_total ") == text.count("# HELP spans_total ") == 1
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {sample.labels["process"] for sample in families["spans"].samples if sample.name == "spans_total"} == {
        "indexer",
        "receiver",
    }
    assert "tempo_request_duration_seconds" in families
    assert "tempo_build_info" in families


def test_only_so_many_tenants_are_counted_by_name(tmp_path: Path) -> None:
    metrics = Metrics()
    for number in range(TENANTS + 5):
        for tenant in (f"t{number}", "t0"):
            with metrics.counted(tenant, "search"):
                pass
    text = metrics.text(tmp_path).decode()
    assert f'tempo_query_frontend_queries_total{{op="search",result="completed",tenant="{OTHERS}"}} 5.0' in text
    assert text.count("tempo_query_frontend_queries_total{") == TENANTS + 1


@pytest.mark.parametrize(
    ("error", "result", "refused"),
    [
        (Abandoned(), "canceled", False),
        (Overloaded("full"), "completed", True),
        (QueryError("bad"), "completed", False),
    ],
)
def test_queries_are_counted_by_how_they_end(tmp_path: Path, error: Exception, result: str, refused: bool) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.counted("red", "traces"):
        raise error
    text = metrics.text(tmp_path).decode()
    assert f'tempo_query_frontend_queries_total{{op="traces",result="{result}",tenant="red"}} 1.0' in text
    assert ('tempo_query_frontend_discarded_requests_total{user="red"} 1.0' in text) is refused
