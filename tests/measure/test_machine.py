"""The machine is described with what may be used of it."""

from __future__ import annotations

import os
import platform

import psutil
import pytest

from vivace.measure.machine import LIBRARIES, cpu_quota, this_machine, usable_cores


def test_this_machine() -> None:
    machine = this_machine()
    assert 0 < machine.cores <= (os.cpu_count() or 1)
    assert machine.cores == usable_cores()
    assert 0 < machine.memory_bytes <= psutil.virtual_memory().total
    assert machine.python == platform.python_version()
    assert machine.versions.keys() == set(LIBRARIES)


@pytest.mark.parametrize(
    ("text", "cores"),
    [("50000 100000\n", 0.5), ("400000 100000", 4), ("max 100000", None), ("", None), ("5", None), ("5 0", None)],
)
def test_a_quota_grants_cores(text: str, cores: float | None) -> None:
    assert cpu_quota(text) == cores
