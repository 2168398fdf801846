"""When what is written to the log is synced: before it is acknowledged, soon after, or when the system sees fit."""

from __future__ import annotations

import os
from enum import StrEnum
from threading import Condition, Thread
from typing import Final

INTERVAL_SECONDS: Final = 0.2


class Sync(StrEnum):
    """What an acknowledgement means."""

    ALWAYS = "always"
    """It is on disk: it survives a loss of power."""
    INTERVAL = "interval"
    """It is with the operating system, and on disk within an interval: it survives the end of any process."""
    OFF = "off"
    """It is with the operating system, which writes it when it sees fit."""


class BackgroundSync:
    """Syncs files that were written to, once per interval at most, from a thread of its own."""

    def __init__(self, interval_s: float) -> None:
        self._interval = interval_s
        self._written: dict[int, int] = {}
        self._changed = Condition()
        self._stopping = False
        self._failed: OSError | None = None
        self._thread = Thread(target=self._run, name="log-sync", daemon=True)
        self._thread.start()

    def wrote(self, number: int, descriptor: int) -> None:
        """A file, by its number, was written to; the descriptor may be closed at any time after.

        Raises the OSError of a sync that failed since the last call: what was acknowledged may not be on disk.
        """
        with self._changed:
            if number not in self._written:
                self._written[number] = os.dup(descriptor)
                self._changed.notify()
            failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def stop(self) -> None:
        """Syncs what was written; the OSError of a sync that failed."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        while self._wait():
            with self._changed:
                written, self._written = self._written, {}
            for descriptor in written.values():
                self._sync(descriptor)

    def _wait(self) -> bool:
        """Until there is something to sync and its time has come; False when there will be nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: self._written or self._stopping)
            self._changed.wait_for(lambda: self._stopping, self._interval)
            return bool(self._written)

    def _sync(self, descriptor: int) -> None:
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            self._failed = error
        finally:
            os.close(descriptor)
