"""`vivace run` as a user starts it, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PATIENCE_S = 90


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would change a profile or a target."""
    names = ("DURATION", "MB_PER_SECOND", "QUERIES_PER_SECOND", "VUS_MIN", "VUS_MAX", "TRACE_PROFILE")
    taken = {*names, "TEMPO_ENDPOINT", "TEMPO_QUERY_ENDPOINT"}
    return {name: value for name, value in os.environ.items() if name not in taken} | dict(extra)


def start(output: Path, *arguments: str, **extra: str) -> subprocess.Popen[str]:
    """Starts `vivace run` in a session of its own, so that a signal reaches it as from a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "vivace", "run", "--output", str(output), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(extra),
        start_new_session=True,
    )


def run(output: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs `vivace run` to its end."""
    process = start(output, *arguments, **extra)
    said, complained = process.communicate(timeout=PATIENCE_S)
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def figures(output: Path, profile: str) -> dict[str, Any]:
    """The figures of the newest run."""
    read: dict[str, Any] = json.loads((output / "latest" / f"{profile}.json").read_text())
    return read


def wait_until_it_runs(process: subprocess.Popen[str]) -> None:
    """Returns when the load has begun; a run that ends before that fails the test."""
    assert process.stdout is not None
    for line in process.stdout:
        if ": running, " in line:
            return
    raise AssertionError(f"ended with {process.wait()} before anything ran")
