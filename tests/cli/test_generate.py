"""`vivace generate` as users run it: files, words and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest
import yaml

DATA: Final = Path(__file__).parents[1] / "testdata"
SMALL: Final = (
    "traces: {count: 30}\nmetrics: {metric_count: 5, timeseries_per_metric: {min: 2, max: 9}}\nlogs: {count: 40}\n"
)


def vivace(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vivace", "generate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "generate.yaml"
    path.write_text(SMALL)
    return path


def test_a_configuration_becomes_templates(config: Path, tmp_path: Path) -> None:
    done = vivace("--config", config, "--json", "--seed", "5", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("generated/telemetry-traces.pb: ")
    assert lines[-1].startswith("generated/telemetry-metadata.yaml: ")
    made = {path.name for path in (tmp_path / "generated").iterdir()}
    assert {f"telemetry-{name}.{kind}" for name in ("traces", "metrics", "logs") for kind in ("pb", "json")} < made
    assert yaml.safe_load((tmp_path / "generated/telemetry-metadata.yaml").read_text())["seed"] == 5


def test_a_place_of_ones_own(config: Path, tmp_path: Path) -> None:
    config.write_text(SMALL + "output: {compression: zstd, directory: '${WHERE}'}\n")
    done = vivace(config, "--output", tmp_path / "out", "--prefix", "mine", cwd=tmp_path, WHERE="elsewhere")
    assert done.returncode == 0
    assert (tmp_path / "out" / "mine-logs.pb.zst").exists()
    assert not (tmp_path / "elsewhere").exists()


def test_a_capture_becomes_templates(tmp_path: Path) -> None:
    done = vivace("--from", DATA / "captures" / "zipkin.json", "--anonymise", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: spans without a start or an end: 1;")
    assert (tmp_path / "out" / "telemetry-traces.pb").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to generate; give a configuration file, or --from a capture"),
        (["none.yaml"], "none.yaml: document: cannot be read: No such file or directory; check the path"),
        (
            ["generate.yaml", "--config", "other.yaml"],
            "--config other.yaml: generate.yaml is given too; give one of them",
        ),
        (["generate.yaml", "--anonymise"], "--anonymise: made-up telemetry has nothing to hide; give --from a capture"),
        (["generate.yaml", "--prefix", "a/b"], "--prefix: 'a/b' is no start of a file's name; the folder is --output"),
        (
            ["generate.yaml", "--output", "generate.yaml"],
            "generate.yaml: cannot be written: File exists; choose another",
        ),
        (["--from", "none.json"], "none.json: cannot be read: No such file or directory"),
        (["--from", "generate.yaml"], "no known format; give one of OTLP protobuf"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(config: Path, arguments: list[str], said: str) -> None:
    done = vivace(*arguments, cwd=config.parent)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_every_mistake_of_a_file_is_named(tmp_path: Path) -> None:
    bad = DATA / "generate" / "sizes.bad.yaml"
    done = vivace(bad, cwd=tmp_path)
    assert done.returncode == 2
    assert [line.partition(f"{bad}:")[2].strip() for line in done.stderr.splitlines()] == bad.with_suffix(
        ".txt"
    ).read_text().splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_half_files(config: Path, tmp_path: Path, number: signal.Signals) -> None:
    config.write_text("traces: {count: 900000}\noutput: {limit: 100GB}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "vivace", "generate", str(config)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("generated/.generate-*/*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not list((tmp_path / "generated").iterdir())
