"""Up to where the log is committed: the one word between its writer and its reader.

A record that could not be synced is taken back, and its sender told to send it again; whoever had read it by then would
have it twice. So the writer says how far to read, and says it before it acknowledges.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vivace.backend.store.manifest import LogPosition

_BYTES: Final = 8
_OFFSET_BITS: Final = 40


class CommittedWriter:
    """Says it in one word, which is written at once. It need not be synced: a start after a crash finds it again."""

    def __init__(self, folder: Path) -> None:
        """OSError when it cannot be written."""
        self._descriptor = os.open(committed_file(folder), os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)

    def write(self, position: LogPosition) -> None:
        """Everything before the position may be read."""
        word = position.file << _OFFSET_BITS | position.offset
        os.pwrite(self._descriptor, word.to_bytes(_BYTES, "little"), 0)

    def close(self) -> None:
        """Ends writing; what was said stays."""
        os.close(self._descriptor)


def read_committed(folder: Path) -> LogPosition:
    """Up to where the log may be read; before its beginning when nobody has said it, or what stands there is no word.

    It may be beyond all files: nobody protects it, and the writer says it again at every start.
    """
    try:
        said = committed_file(folder).read_bytes()
    except FileNotFoundError:
        said = b""
    word = int.from_bytes(said, "little") if len(said) == _BYTES else 0
    return LogPosition(word >> _OFFSET_BITS, word & (1 << _OFFSET_BITS) - 1)


def committed_file(folder: Path) -> Path:
    """Where it stands."""
    return folder / "committed"
