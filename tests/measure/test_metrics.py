"""The file of samples is read as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.errors import OutputError
from vivace.measure.metrics import METRICS, MetricsWriter, Sample, label_text, read_metrics


def test_samples_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    labels = label_text({"path": 'a"b,c\n\\', "code": "200"})
    writer = MetricsWriter(path)
    writer.append(1_800_000_000.25, [Sample("generator", "cpu", "", 1.5), Sample("target", "requests", labels, 2**53)])
    writer.append(1_800_000_001, [Sample("target", "ratio", "", float("nan")), Sample("target", "up", "", 0)])
    writer.close()
    frame = read_metrics(path)
    assert frame.schema == METRICS
    assert frame.head(2).rows() == [
        (1_800_000_000.25, "generator", "cpu", "", 1.5),
        (1_800_000_000.25, "target", "requests", 'code="200",path="a\\"b,c\\n\\\\"', 2.0**53),
    ]
    assert frame["value"][2] != frame["value"][2]
    assert path.read_text().splitlines()[0] == "time_s,source,metric,labels,value"


def test_a_file_without_samples(tmp_path: Path) -> None:
    MetricsWriter(tmp_path / "metrics.csv").close()
    frame = read_metrics(tmp_path / "metrics.csv")
    assert frame.is_empty()
    assert frame.schema == METRICS


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("time_s,source,metric,labels,value\n1.0,target,up,,1\n2.0,target,u")
    assert read_metrics(path)["time_s"].to_list() == [1.0]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"none/metrics\.csv: cannot be written: No such file"):
        MetricsWriter(tmp_path / "none" / "metrics.csv")
