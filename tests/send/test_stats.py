"""What is printed every few seconds, and what Prometheus reads, are the senders' counters."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from socket import create_server
from urllib.request import urlopen

import pytest

from vivace.errors import ConfigurationError
from vivace.send.exposition import served
from vivace.send.progress import SendProgress
from vivace.send.stats import Moment, stats_json, stats_text
from vivace.telemetry.template import Signal

TIME = datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)


def progress(acknowledged: int, errors: int = 0) -> SendProgress:
    return SendProgress(
        offered_spans=acknowledged + 9,
        dropped_spans=2,
        sent_spans=acknowledged + 7,
        acknowledged_spans=acknowledged,
        rejected_spans=1,
        failed_spans=2,
        unknown_spans=4,
        sent_bytes=1000,
        requests=10,
        in_flight=3,
        vus=5,
        response_p50_ms=None,
        response_p99_ms=None,
        clock_step_s=None,
        done=False,
        errors=errors,
        retries=6,
        disordered=8,
    )


ALL = {Signal.TRACES: progress(150_000), Signal.METRICS: progress(600_000), Signal.LOGS: progress(500_000)}


def test_the_text_is_as_it_always_was() -> None:
    before = Moment(TIME, 20.0, {Signal.TRACES: progress(990_000)})
    assert stats_text(Moment(TIME, 25.0, ALL), before) == (
        "[15:04:05] Stats:\n"
        "  Trace spans sent: 150000\n"
        "  Metrics sent: 600000\n"
        "  Logs sent: 500000\n"
        "  Total events: 1250000\n"
        "  Errors: 0\n"
        "  Elapsed: 25s\n"
        "  Overall rate: 50000 events/sec\n"
        "  Recent rate: 52000 events/sec"
    )


def test_at_first_the_recent_rate_is_the_overall_one() -> None:
    said = stats_text(Moment(TIME, 2.0, {Signal.LOGS: progress(100, errors=3)}), None)
    assert "Trace spans sent: 0" in said
    assert "Errors: 3" in said
    assert said.endswith("Overall rate: 50 events/sec\n  Recent rate: 50 events/sec")


def test_json_says_more_on_one_line() -> None:
    line = stats_json(Moment(TIME, 25.0, ALL), None)
    said = json.loads(line)
    assert "\n" not in line
    assert (said["events"], said["overall_events_per_s"]) == (1_250_000, 50_000.0)
    assert said["logs"]["offered"] == said["logs"]["dropped"] + said["logs"]["sent"]
    assert said["metrics"]["retries"] == 6


def test_prometheus_reads_the_counters_as_they_are() -> None:
    with served(lambda: ALL, 0) as port:
        text = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    assert 'vivace_send_items_total{outcome="acknowledged",signal="logs"} 500000.0' in text
    assert 'vivace_send_retries_total{signal="traces"} 6.0' in text
    assert 'vivace_send_in_flight{signal="metrics"} 3.0' in text


def test_a_port_that_is_taken_is_refused() -> None:
    with create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"--metrics-port {port}: .* choose another"), served(dict, port):
            pass
