"""The IDs of the traces of each unit; those of blocks in an object store are kept, so that none is fetched for them."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from vivace.backend.query.trace_index import Identities
from vivace.backend.query.view import View
from vivace.backend.store.folder import complete
from vivace.backend.store.unit import UnitKind

SUFFIX: Final = ".ids"
_CHECKSUM: Final = 4
"""Bytes."""
_WORD: Final = np.dtype("<u8")


def read_identities(view: View) -> Identities:
    """The traces of a unit, read from it."""
    high, low = (view.unit.column("traces", name) for name in ("trace_hi", "trace_lo"))
    assert high is not None  # noqa: S101 - every unit has these
    assert low is not None  # noqa: S101
    return Identities(high.to_numpy(), low.to_numpy())


class KnownTraces:
    """A file for each block: the higher halves of the IDs, the lower halves, and a checksum of both."""

    def __init__(self, folder: Path) -> None:
        """What is in the folder may be removed at any time; it is made again."""
        self._folder = folder

    def identities(self, view: View) -> Identities:
        """The traces of a unit; it is read when they are not known."""
        if view.unit.info.kind is not UnitKind.BLOCK:
            return read_identities(view)
        path = self._folder / f"{view.unit.info.id}{SUFFIX}"
        known = _read(path, view.unit.info.traces)
        return self._write(path, read_identities(view)) if known is None else known

    def only(self, blocks: Collection[str]) -> None:
        """Forgets those of all other blocks."""
        for path in self._folder.glob(f"*{SUFFIX}"):
            if path.stem not in blocks:
                path.unlink(missing_ok=True)

    def _write(self, path: Path, identities: Identities) -> Identities:
        words = np.concatenate([identities.high, identities.low]).astype(_WORD)
        content = words.tobytes()
        with suppress(OSError):  # without room for it the block is read again next time
            self._folder.mkdir(exist_ok=True)
            with complete(path, synced=False) as temporary:
                temporary.write_bytes(content + zlib.crc32(content).to_bytes(_CHECKSUM, "little"))
        return identities


def _read(path: Path, traces: int) -> Identities | None:
    """None when it is not there, or not whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    words, checksum = content[:-_CHECKSUM], content[-_CHECKSUM:]
    if len(words) != 2 * traces * _WORD.itemsize or zlib.crc32(words) != int.from_bytes(checksum, "little"):
        return None
    halves = np.frombuffer(words, _WORD)
    return Identities(halves[:traces], halves[traces:])
