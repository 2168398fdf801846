"""Figures of samples: increases of counters, means over the run, highest memory."""

from __future__ import annotations

import polars as pl
import pytest

from vivace.measure.metrics import METRICS
from vivace.measure.usage import clock_step_ms, core_series, memory_series, resource_figures

CPU, MEMORY = "process_cpu_seconds_total", "process_resident_memory_bytes"


def metrics(*rows: tuple[float, str, str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, METRICS, orient="row")


def cpu(source: str, process: str, *values: float, start: float = 0) -> list[tuple[float, str, str, str, float]]:
    return [(start + n, source, CPU, f'process="{process}"', value) for n, value in enumerate(values)]


def test_cpu_is_the_increase_of_all_processes() -> None:
    samples = metrics(
        *cpu("generator", "run", 10, 10.5, 12),
        *cpu("generator", "send-0", 1, 1.5, start=1),
        *cpu("target", "receiver", 5, 6, 7),
        (0, "generator", MEMORY, 'process="run"', 100),
        (1, "generator", MEMORY, 'process="run"', 300),
        (1, "generator", MEMORY, 'process="send-0"', 50),
        (2, "generator", MEMORY, 'process="run"', 320),
    )
    figures = resource_figures(samples, acknowledged_spans=500_000)
    assert figures is not None
    assert figures.generator is not None
    assert figures.target is not None
    assert figures.generator.cpu_seconds == 2.5
    assert figures.generator.cpu_cores_mean == 1.25
    assert figures.generator.cpu_cores_max == 2
    assert figures.generator.memory_max_bytes == 350
    assert figures.target.cpu_seconds == 2
    assert figures.target.cpu_seconds_per_million_spans == 4
    assert figures.target.memory_max_bytes is None
    assert figures.target.received_spans is None
    assert figures.target.scrapes is None


def test_one_sample_is_no_measurement_of_cpu() -> None:
    figures = resource_figures(metrics(*cpu("generator", "run", 10), (0, "generator", MEMORY, 'process="run"', 7)))
    assert figures is not None
    assert figures.generator is not None
    assert figures.generator.cpu_seconds is None
    assert figures.generator.cpu_cores_mean is None
    assert figures.generator.memory_max_bytes == 7
    assert figures.target is None


def test_without_samples_there_are_no_figures() -> None:
    assert resource_figures(metrics()) is None
    assert clock_step_ms(metrics()) is None


@pytest.mark.parametrize("name", ["tempo_distributor_spans_received_total", "otelcol_receiver_accepted_spans_total"])
def test_the_targets_own_count_of_spans(name: str) -> None:
    samples = metrics(
        (0, "target", "up", "", 1),
        (0, "target", name, 'tenant="a"', 100),
        (1, "target", "up", 'error="timed out"', 0),
        (2, "target", "up", "", 1),
        (2, "target", name, 'tenant="a"', 150),
        (2, "target", name, 'tenant="b"', 7),
    )
    figures = resource_figures(samples)
    assert figures is not None
    assert figures.target is not None
    assert figures.target.received_spans == 57
    assert (figures.target.scrapes, figures.target.failed_scrapes) == (3, 1)


def test_a_count_that_appears_later_began_at_zero() -> None:
    name = "tempo_distributor_spans_received_total"
    samples = metrics((0, "target", "up", "", 1), (1, "target", "up", "", 1), (1, "target", name, "", 40))
    figures = resource_figures(samples)
    assert figures is not None
    assert figures.target is not None
    assert figures.target.received_spans == 40


def test_the_farthest_step_of_the_clock() -> None:
    steps = [(float(n), "generator", "clock_step_seconds", "", value) for n, value in enumerate((0, -1.5, 0.5))]
    assert clock_step_ms(metrics(*steps)) == -1500
    assert clock_step_ms(metrics(steps[0])) == 0


def test_cores_and_memory_over_time() -> None:
    samples = metrics(*cpu("target", "a", 1, 1.5, 3), *cpu("target", "b", 0, 1), (1, "target", MEMORY, "", 9))
    assert core_series(samples).sort("labels", "time_s").rows() == [
        (1.0, "target", 'process="a"', 0.5),
        (2.0, "target", 'process="a"', 1.5),
        (1.0, "target", 'process="b"', 1.0),
    ]
    assert memory_series(samples).rows() == [(1.0, "target", "", 9)]
