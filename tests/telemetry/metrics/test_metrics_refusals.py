"""Metrics that cannot be generated are refused with the field and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from vivace.errors import ConfigurationError, OutputError, TemplateError
from vivace.telemetry.metrics.catalogue import available
from vivace.telemetry.metrics.generate import generate_metrics
from vivace.telemetry.metrics.settings import MetricsSettings, SeriesCount

ONE = MetricsSettings(metric_count=1, timeseries_per_metric=SeriesCount(min=20, max=60))


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        MetricsSettings.model_validate(
            {
                "metric_count": 0,
                "timeseries_per_metric": {"min": 50, "max": 10},
                "aggregation": {"interval_s": 10, "sample_s": 9},
                "exemplars": 101,
                "temporality": "sometimes",
                "seed": -1,
                "colour": "red",
            }
        )
    assert {error["loc"][0] for error in caught.value.errors()} == {
        "metric_count",
        "timeseries_per_metric",
        "aggregation",
        "exemplars",
        "temporality",
        "seed",
        "colour",
    }


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        ({"min": 50, "max": 10}, "min 50 is above max 10"),
        ({"min": 5, "max": 10, "default": 11}, "default 11 is not in 5 to 10"),
        ({"min": 0}, "greater than or equal to 1"),
    ],
)
def test_refuses_impossible_numbers_of_series(series: dict[str, int], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        SeriesCount.model_validate(series)


def test_refuses_more_metrics_than_there_are(tmp_path: Path) -> None:
    most = available(("cart",))
    with pytest.raises(
        ConfigurationError, match=rf"metrics.metric_count: 90000 is more than the {most} .*ask for fewer"
    ):
        generate_metrics(MetricsSettings(metric_count=90_000), tmp_path / "x", services=("cart",))


def test_refuses_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"file.*: cannot be written: .*; choose another folder or make room"):
        generate_metrics(ONE, tmp_path / "file" / "x")


def test_refuses_traces_that_are_none(tmp_path: Path) -> None:
    generate_metrics(ONE, tmp_path / "x")
    with pytest.raises(TemplateError, match=r"x-metrics.pb: holds metrics, not traces"):
        generate_metrics(ONE, tmp_path / "y", traces=tmp_path / "x-metrics.pb")
