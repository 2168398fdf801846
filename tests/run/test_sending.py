"""`vivace send` as a user starts it: all signals, one ledger, and every way it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from tests.send.servers import nobody
from tests.send.templates import write_template

from vivace.ledger import SENDS, read_ledger
from vivace.send.sink import Counting, Faults, Sink, SinkSettings

PATIENCE_S = 90


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink(SinkSettings(counting=Counting.ITEMS)) as sink:
        yield sink


def write_all(folder: Path) -> None:
    """Templates of 420 spans, 300 data points and 200 log records."""
    write_template(folder).rename(folder / "some-traces.pb")
    metrics, logs = MetricsData(), LogsData()
    for resource in range(10):
        gauge = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name=f"load {resource}").gauge
        scope = logs.resource_logs.add().scope_logs.add()
        for point in range(30):
            gauge.data_points.add(time_unix_nano=1_000_000_000 + point, as_int=point)
        for record in range(20):
            scope.log_records.add(time_unix_nano=1_000_000_000 + record)
    (folder / "some-metrics.pb").write_bytes(metrics.SerializeToString())
    (folder / "some-logs.pb").write_bytes(logs.SerializeToString())


def configured(folder: Path, endpoint: str, sending: str, signals: str = "traces metrics logs") -> Path:
    path = folder / "load.yaml"
    templates = "\n".join(f"  {name}: {folder}/some-{name}.pb" for name in signals.split())
    path.write_text(
        f"input:\n{templates}\notlp:\n  endpoint: {endpoint}\n  insecure: true\n  timeout: 5s\nsending: {sending}\n"
    )
    return path


def start(folder: Path, config: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "vivace", "send", str(config), "--output", str(folder / "results"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def send(folder: Path, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, config, *arguments)
    said, complained = process.communicate(timeout=PATIENCE_S)
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def ledger(folder: Path) -> pl.DataFrame:
    return read_ledger(folder / "results" / "latest" / "load-sends.parquet", SENDS)


def figures(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "results" / "latest" / "load.json").read_text())
    return read


def test_all_signals_are_sent_as_often_as_asked(tmp_path: Path, sink: Sink) -> None:
    write_all(tmp_path)
    before = sink.counts()
    config = configured(tmp_path, sink.address, "{multiplier: 3, batch_size: {metrics: 100, logs: 50, traces: 4}}")
    done = send(tmp_path, config)
    after, rows = sink.counts(), ledger(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Trace spans sent: 1260\n  Metrics sent: 900\n  Logs sent: 600\n  Total events: 2760\n" in done.stdout
    assert dict(rows.group_by("signal").agg(pl.col("items").sum()).iter_rows()) == {
        "traces": 1260,
        "metrics": 900,
        "logs": 600,
    }
    assert after.requests - before.requests - rows.height in {0, 3}  # an empty request of each signal tries the way
    assert after.bytes - before.bytes == rows["bytes"].sum()
    assert figures(tmp_path)["signals"]["logs"]["acknowledged_spans"] == 600
    assert {path.name for path in (tmp_path / "results" / "latest").iterdir()} == {
        "load.json",
        "load-sends.parquet",
        "load-metrics.csv",
    }


def test_what_is_done_on_purpose_is_reported(tmp_path: Path) -> None:
    write_all(tmp_path)
    faults = Faults(throttle=0.3, retry_after_s=0.01)
    with Sink(SinkSettings(counting=Counting.ITEMS, faults=faults)) as sink:
        config = configured(
            tmp_path,
            sink.address,
            "{multiplier: 5, batch_by: spans, batch_size: {traces: 10}, retry: {attempts: 50, first_pause: 10ms}, "
            "disorder: {duplicate: 0.2, incomplete: 0.2, late: 0.2}}",
            "traces",
        )
        done = send(tmp_path, config)
        counts = sink.counts()
    said, rows = figures(tmp_path)["ingest"], ledger(tmp_path)
    assert done.returncode == 0, done.stderr
    assert said["attempts"] > said["requests"]
    assert said["retry_amplification"] > 1
    assert said["disorder"] == dict(rows.drop_nulls("disorder").group_by("disorder").len().iter_rows())
    assert set(said["disorder"]) == {"duplicate", "incomplete", "late"}
    assert "in disorder on purpose" in done.stdout
    assert "times the bytes" in done.stdout
    assert counts.spans == said["acknowledged_spans"]
    assert (tmp_path / "results" / "latest" / "load-dashboard.html").exists()


def test_json_lines_end_with_a_summary(tmp_path: Path, sink: Sink) -> None:
    write_all(tmp_path)
    config = configured(tmp_path, sink.address, "{multiplier: 0, duration: 1s, rate_limit: {events_per_second: 2000}}")
    done = send(tmp_path, config, "--json", "--stats-every", "300ms")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(lines) >= 2
    assert [line["events"] for line in lines[:-1]] == sorted(line["events"] for line in lines[:-1])
    assert lines[-1]["summary"]["verdict"] == "PASS"


def test_the_first_signal_lets_what_is_in_flight_end(tmp_path: Path, sink: Sink) -> None:
    write_all(tmp_path)
    config = configured(tmp_path, sink.address, "{multiplier: 1000000, rate_limit: {events_per_second: 500}}")
    process = start(tmp_path, config, "--stats-every", "200ms")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, complained = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, complained
    assert set(ledger(tmp_path)["outcome"]) == {"acknowledged"}
    assert figures(tmp_path)["interrupted"]


def test_the_second_signal_ends_at_once_and_keeps_the_ledger(tmp_path: Path) -> None:
    write_all(tmp_path)
    with Sink(SinkSettings(faults=Faults(hang=1.0))) as sink:
        config = configured(
            tmp_path, sink.address, "{multiplier: 1, concurrency: 3, batch_size: {traces: 2}}", "traces"
        )
        config.write_text(config.read_text().replace("timeout: 5s", "timeout: 10m"))
        process = start(tmp_path, config, "--stats-every", "200ms", "--no-first-connect")
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        for line in process.stdout:
            if line.startswith("["):
                break
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, complained
    assert ledger(tmp_path)["outcome"].to_list() == ["unknown"] * 3


def test_nobody_there(tmp_path: Path) -> None:
    write_all(tmp_path)
    with nobody() as endpoint:
        done = send(tmp_path, configured(tmp_path, endpoint, "{}"))
    assert done.returncode == 4
    assert done.stderr.startswith(f"vivace: {endpoint}: failed to connect: Connection refused; ")
    assert not (tmp_path / "results").exists()


def test_a_template_of_another_signal_is_refused(tmp_path: Path, sink: Sink) -> None:
    write_all(tmp_path)
    (tmp_path / "some-traces.pb").write_bytes((tmp_path / "some-logs.pb").read_bytes())
    (tmp_path / "some-traces.pb").rename(tmp_path / "some.pb")
    config = configured(tmp_path, sink.address, "{}", "traces")
    config.write_text(config.read_text().replace("some-traces.pb", "some.pb"))
    done = send(tmp_path, config)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_a_template_that_is_truncated_is_refused(tmp_path: Path, sink: Sink) -> None:
    write_all(tmp_path)
    path = tmp_path / "some-traces.pb"
    path.write_bytes(path.read_bytes()[:-7])
    done = send(tmp_path, configured(tmp_path, sink.address, "{}"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"vivace: {path}: not OTLP, or truncated")


def test_previews_send_nothing(tmp_path: Path) -> None:
    write_all(tmp_path)
    config = configured(tmp_path, "127.0.0.1:1", "{schedule: [ramp 0 -> 1000/s for 1m, 500/s for 1m]}")
    done = send(tmp_path, config, "--preview", "--preview-page", str(tmp_path / "page.html"))
    assert done.returncode == 0, done.stderr
    assert "events in 2:00, 500 per second" in done.stdout
    assert "█" in done.stdout
    assert "<svg" in (tmp_path / "page.html").read_text()
    without = send(tmp_path, configured(tmp_path, "127.0.0.1:1", "{}"), "--preview")
    assert without.returncode == 2
    assert "no sending.schedule" in without.stderr


def test_the_command_line_changes_the_file(tmp_path: Path) -> None:
    write_all(tmp_path)
    config = configured(tmp_path, "nowhere", "{duration: 1m}")
    assert send(tmp_path, config, "--check", "--endpoint", "127.0.0.1:1", "--schedule", "5/s for 2s").returncode == 0
    wrong = send(tmp_path, config, "--check", "--schedule", "5/s")
    assert wrong.stderr.startswith('vivace: --schedule: sending.schedule: stage 1 lacks "for"')
    assert wrong.returncode == 2
    assert send(tmp_path, config, "--stats-every", "often").returncode == 2


def test_what_is_generated_on_the_way_needs_no_files(tmp_path: Path, sink: Sink) -> None:
    generator = tmp_path / "generator.yaml"
    generator.write_text("traces: {count: 100}\nlogs: {count: 500}\n")
    config = configured(tmp_path, sink.address, "{}", "traces")
    done = send(tmp_path, config, "--stream", str(generator))
    assert done.returncode == 0, done.stderr
    assert "Logs sent: 500\n" in done.stdout
    assert set(ledger(tmp_path)["signal"]) == {"traces", "logs"}
    generator.write_text("traces: {count: many}\n")
    wrong = send(tmp_path, config, "--stream", str(generator))
    assert wrong.returncode == 2
    assert wrong.stderr.startswith(f"vivace: {generator}:1: traces.count: ")
