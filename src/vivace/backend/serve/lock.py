"""Locks on a data folder; the operating system frees them with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Final

from vivace.errors import TargetError

POLL_SECONDS: Final = 0.02


class Lock:
    """A file that one process at a time holds."""

    def __init__(self, path: Path, patience_s: float = 0.0) -> None:
        """Waits that long for another process to let go; TargetError when it does not."""
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        deadline = monotonic() + patience_s
        while not self._taken():
            if monotonic() >= deadline:
                os.close(self._descriptor)
                raise TargetError(
                    f"--data-dir {path.parent}: another server uses this folder ({path.name} is held);"
                    " stop it, or give this one a folder of its own"
                )
            sleep(POLL_SECONDS)

    def release(self) -> None:
        """Lets another process have it."""
        os.close(self._descriptor)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
