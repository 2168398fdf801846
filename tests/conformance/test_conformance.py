"""The recorded answers of Grafana Tempo against a backend that was really started, group by group."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vivace.backend.serve.supervisor import Backend, ServeSettings

FOLDER = Path(os.environ.get("VIVACE_CONFORMANCE", Path(__file__).parents[3] / "shared" / "conformance"))
SCRIPT = FOLDER / "conformance.py"
GROUPS = (
    *("types", "scope", "arrays", "regex", "intrinsics", "boolean", "arith", "structural", "pipeline"),
    *("metrics", "steps", "instant", "params", "refuse", "refuse-m"),
    *("trace", "tags", "values-v1", "values-v2", "misc"),
)
DEFECTS = {
    "arith-017": "an integer power computed with its operands exchanged",
    "pipeline-010": "a maximum that a missing value wins, for keys that happen to be dedicated columns",
    "pipeline-024": "a missing value shown as text, for keys that happen to be dedicated columns",
    "metrics-036": "a sum that begins anew after each span without a value",
    "metrics-037": "a sum that begins anew after each span without a value",
    "tags-020": "a key that no selected span has, because it happens to be a dedicated column",
    "values-v2-038": "two of four values",
}
"""Recorded answers that are wrong by the language's own rules; docs/decisions.md has the reasons."""

pytestmark = [
    pytest.mark.skipif(not SCRIPT.exists(), reason=f"{SCRIPT} is not there"),
    pytest.mark.xdist_group("conformance"),
]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that recorded the answers, as a module."""
    spec = importlib.util.spec_from_file_location("conformance", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def loaded(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A backend that holds the dataset: the address of its query API, and the dataset's T0."""
    settings = ServeSettings(tmp_path_factory.mktemp("data"), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0")
    backend = Backend(settings)
    backend.start()
    try:
        base = f"http://{backend.addresses.http}"
        start = (int(time.time()) // 60 * 60 - 60) * script.S
        traces, _ = script.load(f"http://{backend.addresses.otlp_http}", FOLDER / "dataset.pb", start)
        script.wait_visible(base, traces, start, 30)
        yield base, start
    finally:
        backend.stop()


def cases(group: str) -> list[dict[str, Any]]:
    lines = (FOLDER / "cases.jsonl").read_text(encoding="utf-8").splitlines() if SCRIPT.exists() else []
    return [case for case in map(json.loads, lines) if case["group"] == group]


@pytest.mark.parametrize("group", GROUPS)
def test_answers_as_tempo_does(group: str, script: ModuleType, loaded: tuple[str, int]) -> None:
    base, start = loaded
    differing = {}
    for case in cases(group):
        difference = script.differs(case["want"], script.answer(base, case, start))
        if difference is not None and case["id"] not in DEFECTS:
            differing[case["id"]] = difference
    assert differing == {}


def test_every_group_is_asked() -> None:
    lines = (FOLDER / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["group"] for line in lines} == set(GROUPS)
