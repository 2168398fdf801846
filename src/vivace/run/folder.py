"""A run's folder: `results/<UTC time>-<name>/`, made whole or refused before anything is started."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile

from vivace.errors import OutputError

LEAST_FREE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class RunFolder:
    """Where the files of a run go; names as every reader of results knows them."""

    path: Path

    def figures(self, profile: str) -> Path:
        return self.path / f"{profile}.json"

    def sends(self, profile: str) -> Path:
        return self.path / f"{profile}-sends.parquet"

    def queries(self, profile: str) -> Path:
        return self.path / f"{profile}-queries.parquet"

    def probes(self, profile: str) -> Path:
        return self.path / f"{profile}-probes.parquet"

    def metrics(self, profile: str) -> Path:
        return self.path / f"{profile}-metrics.csv"

    def dashboard(self, profile: str) -> Path:
        return self.path / f"{profile}-dashboard.html"

    def target_data(self, profile: str) -> Path:
        return self.path / f"{profile}-target"

    def target_log(self, profile: str) -> Path:
        return self.path / f"{profile}-target.log"

    def template(self, profile: str) -> Path:
        """Prefix of the telemetry that is replayed; removed when the run ends."""
        return self.path / f"{profile}-template" / "telemetry"


def create_run_folder(output: Path, names: Sequence[str], now: datetime | None = None) -> RunFolder:
    """Makes the folder, proves that it can be written, and points `latest` to it."""
    moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    path = unused(output / f"{moment}-{'+'.join(names)[:80]}")
    try:
        output.mkdir(parents=True, exist_ok=True)
        prove_writable(output)
        path.mkdir()
        point_latest(output, path)
    except OSError as error:
        raise OutputError(f"--output {output}: {error.strerror}; name a folder that can be written") from error
    return RunFolder(path)


def unused(path: Path) -> Path:
    """The path itself, or with a number when two runs start within a second."""
    number, candidate = 2, path
    while candidate.exists():
        candidate, number = path.with_name(f"{path.name}-{number}"), number + 1
    return candidate


def prove_writable(path: Path) -> None:
    """Refuses a folder that takes no bytes, or has no room for a run."""
    with TemporaryFile(dir=path) as file:
        file.write(b"\0" * 4096)
        file.flush()
    room = os.statvfs(path)
    free = room.f_bavail * room.f_frsize
    if free < LEAST_FREE_BYTES:
        raise OutputError(f"--output {path}: only {free // 2**20} MiB are free; make room, or name another folder")


def point_latest(output: Path, path: Path) -> None:
    """Replaces the link `latest` at once, so that it always points somewhere."""
    temporary = output / f".latest-{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path.name)
    temporary.rename(output / "latest")
