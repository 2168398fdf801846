"""Queries with the answers that Grafana Tempo gave to them, where they lie beside the repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vivace.errors import QueryError
from vivace.traceql.parser import parse

CASES = Path(__file__).parents[2] / "../shared/conformance/cases.jsonl"
OF_THE_LANGUAGE = ("invalid TraceQL query", "compiling query", "parse error")


def cases() -> list[dict[str, object]]:
    if not CASES.exists():
        return []
    rows = [json.loads(line) for line in CASES.read_text().splitlines()]
    return [
        row
        for row in rows
        if "q" in row.get("params", {}) and row["path"] in {"/api/search", "/api/metrics/query_range"}
    ]


@pytest.mark.skipif(not CASES.exists(), reason="no recorded answers beside the repository")
def test_the_language_takes_and_refuses_what_tempo_does() -> None:
    wrong = []
    for case in cases():
        want, query = case["want"], case["params"]["q"]  # type: ignore[index]
        refused_for_the_query = str(want.get("text", "")).startswith(OF_THE_LANGUAGE)  # type: ignore[attr-defined]
        try:
            parse(query)
            refused = False
        except QueryError:
            refused = True
        if refused != refused_for_the_query:
            wrong.append(case["id"])
    assert wrong == []
