"""A run's folder -> everything that people read, written beside the ledgers; again at any later time."""

from __future__ import annotations

from pathlib import Path

from vivace.report.dashboard import write_dashboard
from vivace.report.evidence import profiles_in, read_evidence
from vivace.report.files import write_files
from vivace.report.index import write_index


def render_run(folder: Path, dashboards: bool = True) -> list[Path]:
    """Renders every profile of a run, and an index where there are several; gives what was written."""
    written = [path for profile in profiles_in(folder) for path in render_profile(folder, profile, dashboards)]
    index = write_index(folder)
    return written if index is None else [*written, index]


def render_profile(folder: Path, profile: str, dashboard: bool = True) -> list[Path]:
    """Renders one profile of a run; OutputError names a file that cannot be read or written."""
    evidence = read_evidence(folder, profile)
    written = write_files(evidence.figures, folder)
    if dashboard:
        written.append(write_dashboard(evidence, folder / f"{profile}-dashboard.html"))
    return written
