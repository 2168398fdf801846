"""What charts draw is what happened: peaks stay, ranks are exact, nothing is counted twice."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report import sample

from vivace.ledger import PROBES, QUERIES, SENDS
from vivace.measure.metrics import METRICS
from vivace.report.curves import distribution, gathered, over_time, percentile_curve, round_up
from vivace.report.evidence import Evidence, read_evidence
from vivace.report.usage import cores, memory


@pytest.fixture(scope="module")
def figures_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    sample.write_run(folder)
    return folder


def lasting(folder: Path, seconds: float) -> Evidence:
    """Evidence of a load that lasted so long and left no rows."""
    figures = read_evidence(folder, "1x-medium").figures.model_copy(update={"duration_s": seconds})
    empty = [pl.DataFrame(schema=schema) for schema in (SENDS, QUERIES, PROBES, METRICS)]
    return Evidence(figures, *empty)


@pytest.mark.parametrize(("seconds", "step", "points"), [(1, 1, 1), (600, 1, 600), (601, 2, 301), (3600, 6, 600)])
def test_points_are_at_most_six_hundred(figures_folder: Path, seconds: int, step: int, points: int) -> None:
    evidence = lasting(figures_folder, seconds)
    assert (evidence.step_s, evidence.points) == (step, points)


def test_thinning_keeps_the_highest_of_each_step_or_the_mean(figures_folder: Path) -> None:
    evidence = lasting(figures_folder, 1200)
    frame = pl.DataFrame({"second": [0, 1, 5, 1199, 5000], "x": [1.0, 9.0, 4.0, 2.0, 99.0]})
    (highest,) = over_time(evidence, frame, "x")
    assert (highest[:3], highest[-1], len(highest)) == ([9.0, None, 4.0], 2.0, 600)
    (mean,) = over_time(evidence, frame, "x", mean=True)
    assert mean[:3] == [5.0, None, 4.0]


@given(values=st.lists(st.integers(min_value=0, max_value=10**12), min_size=1, max_size=400))
@settings(max_examples=60, deadline=None)
def test_each_point_of_a_percentile_curve_is_a_measured_value_at_its_rank(values: list[int]) -> None:
    curve = percentile_curve(pl.DataFrame({"took": values}), pl.col("took"))
    assert curve is not None
    ordered = sorted(values)
    assert curve.shares[-1] == 1
    assert list(curve.shares) == sorted(set(curve.shares))
    for share, milliseconds in zip(curve.shares, curve.milliseconds, strict=True):
        assert milliseconds == pytest.approx(ordered[round(share * len(values)) - 1] / 1e6)


def test_there_is_no_curve_without_values() -> None:
    assert percentile_curve(pl.DataFrame({"took": [None]}, schema={"took": pl.Int64}), pl.col("took")) is None
    assert distribution(pl.Series([None], dtype=pl.Float64)) is None


@given(values=st.lists(st.floats(min_value=0, max_value=1e7), min_size=1, max_size=300))
@settings(max_examples=60, deadline=None)
def test_a_distribution_counts_every_value_once(values: list[float]) -> None:
    spread = distribution(pl.Series(values, dtype=pl.Float64))
    assert spread is not None
    assert sum(spread.counts) == len(values)
    assert 1 <= len(spread.counts) <= 33
    assert spread.open == (max(values) >= len(spread.counts) * spread.width)


@pytest.mark.parametrize(("value", "rounded"), [(1, 1), (1.1, 2), (21, 50), (0.03, 0.05), (7, 10)])
def test_round_up(value: float, rounded: float) -> None:
    assert round_up(value) == pytest.approx(rounded)


def test_many_kinds_become_a_few_and_the_others() -> None:
    kinds: dict[str, list[float | None]] = {name: [1.0, None] for name in "abcdef"}
    assert gathered(kinds, 6) == kinds
    assert gathered(kinds, 3) == {"a": [1.0, None], "b": [1.0, None], "others": [4.0, 0.0]}


def test_processes_have_their_cores_and_memory(figures_folder: Path) -> None:
    evidence = read_evidence(figures_folder, "1x-medium")
    assert list(cores(evidence, "target")) == ["indexer", "receiver", "querier"]
    assert list(memory(evidence, "generator")) == ["sender 1", "sender 0"]
    indexer = cores(evidence, "target")["indexer"]
    assert len(indexer) == 30
    assert all(value is not None and 0.8 < value < 1.2 for value in indexer)
