"""What several rooms' tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.backend.store.data import Data

from vivace.backend.store import takeover


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Data]:
    """A data folder whose indexers take proposals at once."""
    monkeypatch.setattr(takeover, "PERIOD_SECONDS", 0)
    one = Data(tmp_path)
    yield one
    one.writer.close()
