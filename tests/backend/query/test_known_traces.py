from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.backend.query.samples import request, span, unit

from vivace.backend.query.known_traces import KnownTraces
from vivace.backend.query.memory import Memory
from vivace.backend.query.view import View
from vivace.backend.store.unit import Unit, UnitKind


def block(*traces: int) -> View:
    made = unit(request(*(span(trace << 64 | trace, 1) for trace in traces)))
    return View(Unit(replace(made.info, id="block", kind=UnitKind.BLOCK), made._source), Memory(1 << 20))


class Absent:
    """A source that must not be read."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(name)


def test_what_is_known_of_a_block_is_not_read_again(tmp_path: Path) -> None:
    known, view = KnownTraces(tmp_path / "traces"), block(3, 1, 2)
    assert known.identities(view).low.tolist() == [1, 2, 3]
    view.unit._source = Absent()  # type: ignore[assignment]
    again = KnownTraces(tmp_path / "traces").identities(view)
    assert (again.high.tolist(), again.low.tolist()) == ([1, 2, 3], [1, 2, 3])


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: bytes(16) + data[16:], lambda _: b""])
def test_what_is_damaged_is_made_again(tmp_path: Path, spoil: object) -> None:
    assert callable(spoil)
    known, view = KnownTraces(tmp_path), block(3, 1, 2)
    known.identities(view)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    assert known.identities(view).low.tolist() == [1, 2, 3]
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("no folder")
    assert np.array_equal(KnownTraces(tmp_path / "traces").identities(block(5)).low, [5])


def test_what_is_known_of_other_blocks_is_forgotten(tmp_path: Path) -> None:
    known = KnownTraces(tmp_path)
    known.identities(block(1))
    known.only({"block"})
    assert [path.stem for path in tmp_path.iterdir()] == ["block"]
    known.only({"other"})
    assert list(tmp_path.iterdir()) == []
