"""What tests of probes share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.measure.backend import make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .pb file of a small template."""
    return make_template(tmp_path_factory.mktemp("template"))
