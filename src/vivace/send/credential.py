"""A bearer token in a file that somebody renews."""

from __future__ import annotations

from pathlib import Path

from vivace.send.transport import read_token


class Token:
    """The token as it was when last looked at. One that cannot be read just now leaves the one before in use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()
        self.value = read_token(path)

    def changed(self) -> bool:
        """Looks; whether there is a new one since the last look."""
        stamp = self._look()
        if stamp == self._stamp or stamp is None:
            return False
        try:
            value = read_token(self._path)
        except (OSError, ValueError):
            return False
        self._stamp = stamp
        before, self.value = self.value, value
        return value != before

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
