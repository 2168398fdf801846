"""What the generator's configuration says, and that every mistake in it is named, all of them at once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from vivace.errors import ExitCode, InvalidDocument
from vivace.telemetry.configuration import GeneratorConfiguration, read_configuration
from vivace.telemetry.settings import Sizes
from vivace.telemetry.topology import shop

FOLDER: Final = Path(__file__).parents[1] / "testdata" / "generate"
BAD: Final = sorted(FOLDER.glob("*.bad.yaml"))


def configuration(tmp_path: Path, text: str) -> GeneratorConfiguration:
    path = tmp_path / "generate.yaml"
    path.write_text(text)
    return read_configuration(path, {"DIRECTORY": "there", "COUNT": "12"})


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_every_problem_is_named(path: Path) -> None:
    with pytest.raises(InvalidDocument) as raised:
        read_configuration(path, {"HOME": "home"})
    assert raised.value.exit_code is ExitCode.USAGE
    said = [line.removeprefix(str(path)).lstrip(": ") for line in str(raised.value).splitlines()]
    assert said == path.with_suffix(".txt").read_text().splitlines()


def test_a_configuration_of_all_signals() -> None:
    read = read_configuration(FOLDER / "every-signal.good.yaml", {})
    assert read.output.path == Path("generated/telemetry")
    traces, metrics, logs = read.trace_settings(), read.metrics_settings(), read.logs_settings()
    assert traces is not None
    assert traces.traces == 10_000
    assert traces.sizes == Sizes.normal(15, 5)
    assert traces.traces_per_request == 100
    assert list(traces.graph.services) == ["api", "db", "cache", "service-4", "service-5"]
    assert metrics is not None
    assert metrics.metric_count == 2000
    assert logs is not None
    assert logs.count == 50_000


def test_variables_of_the_environment(tmp_path: Path) -> None:
    text = "output:\n directory: ${DIRECTORY}/x\ntraces:\n count: ${COUNT}\n spans:\n  avg_per_trace: ${AVERAGE:-7}\n"
    read = configuration(tmp_path, text)
    assert read.output.path == Path("there/x/telemetry")
    assert read.traces is not None
    assert (read.traces.count, read.traces.spans.avg_per_trace) == (12, 7)


def test_without_services_there_is_the_shop(tmp_path: Path) -> None:
    settings = configuration(tmp_path, "traces: {downstream_share: 0.5, errors: 0.1, cascade: 1}").trace_settings()
    assert settings is not None
    said = {"downstream": 0.5, "errors": 0.1, "cascade": 1.0}
    assert settings.graph == shop().model_copy(update=said)


def test_one_seed_for_all_signals_that_have_none_of_their_own(tmp_path: Path) -> None:
    read = configuration(tmp_path, "seed: 9\ntraces: {}\nmetrics: {seed: 4}\nlogs: {}")
    traces, metrics, logs = read.trace_settings(), read.metrics_settings(), read.logs_settings()
    assert traces
    assert metrics
    assert logs
    assert (traces.seed, metrics.seed, logs.seed) == (9, 4, 9)


@pytest.mark.parametrize(("mean", "size", "requests"), [(15, 10, 100), (500, 10, 10), (10, 100_000, 3), (9000, 10, 1)])
def test_requests_are_neither_many_nor_large(tmp_path: Path, mean: int, size: int, requests: int) -> None:
    text = f"traces: {{spans: {{avg_per_trace: {mean}}}, attributes: {{span: {{a: {{size: {size}}}}}}}}}"
    settings = configuration(tmp_path, text).trace_settings()
    assert settings is not None
    assert settings.traces_per_request == requests


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match=r"none\.yaml: document: cannot be read: No such file or directory"):
        read_configuration(tmp_path / "none.yaml", {})
