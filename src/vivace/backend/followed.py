"""Files that may change while the backend runs: each is looked at every few seconds, and read again when it differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Final, Generic, TypeVar

from vivace.errors import VivaceError

LOOK_SECONDS: Final = 2.0

T = TypeVar("T")
Version = tuple[tuple[int, int, int] | None, ...]


class Followed(Generic[T]):
    """What some files say; of files that have gone bad what they said before."""

    def __init__(
        self, paths: Sequence[Path], read: Callable[[], T], otherwise: str, report: Callable[[str], None]
    ) -> None:
        """What `read` raises is raised now; later it is reported, once, with what happens `otherwise`."""
        self._paths = paths
        self._read = read
        self._otherwise = otherwise
        self._report = report
        self._version = self._seen()  # before they are read: what changes meanwhile is then seen to have changed
        self._doubted: Version | None = None
        self.value = read()

    def look(self) -> None:
        """Reads the files if they have changed. Bad ones get a second look: they may be just being written."""
        version = self._seen()
        if version == self._version:
            return
        try:
            self.value = self._read()
        except Exception as error:  # whatever it is, the files are to be looked at again
            if version != self._doubted:
                self._doubted = version
                return
            what = str(error) if isinstance(error, VivaceError) else f"{self._paths[0]}: {error!r}"
            self._report(f"{what}; {self._otherwise}")
        self._version = version

    def _seen(self) -> Version:
        return tuple(_version(path) for path in self._paths)


def follow(looks: Sequence[Callable[[], None]]) -> None:
    """Looks from now on, in a thread, as long as the process lives."""
    if looks:
        Thread(target=_look, args=(looks,), name="follow-files", daemon=True).start()


def _look(looks: Sequence[Callable[[], None]]) -> None:
    while True:
        sleep(LOOK_SECONDS)
        for look in looks:
            look()


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
