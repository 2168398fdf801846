"""Folders of sample runs, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.report import sample


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a profile of each mood; not to be written to."""
    folder = tmp_path_factory.mktemp("results")
    for one in (sample.PASSED, sample.FAILED, sample.INVALID, sample.INGESTION, sample.QUERY):
        sample.write_run(folder, one)
    return folder
