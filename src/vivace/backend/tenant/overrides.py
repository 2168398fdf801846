"""The limits of every tenant, from a file that may change while the backend runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final

from vivace.backend.tenant.limits import Limits, OverridesFile
from vivace.errors import VivaceError
from vivace.profile.validation import load_document

LOOK_SECONDS: Final = 2.0
"""How often the file is looked at."""


class Overrides:
    """What holds for whom. Safe for use by several threads."""

    def __init__(self, path: Path | None = None, report: Callable[[str], None] = lambda _: None) -> None:
        """InvalidDocument with every problem of the file; one that goes bad later is reported, and not followed."""
        self._path = path
        self._report = report
        self._lock = Lock()
        self._file = OverridesFile() if path is None else load_document(path, OverridesFile)
        self._known: tuple[OverridesFile, dict[str, Limits]] = (self._file, {})
        self._version = self._seen()
        self._looked = monotonic()

    def of(self, tenant: str) -> Limits:
        """The limits of a tenant."""
        file = self._current()
        if tenant not in file.overrides:
            return file.defaults
        with self._lock:
            if self._known[0] is not file:
                self._known = (file, {})
            known = self._known[1]
            if tenant not in known:
                known[tenant] = file.of(tenant)
            return known[tenant]

    def defaults(self) -> Limits:
        """The limits of every tenant that has none of its own."""
        return self._current().defaults

    def tenants(self) -> Mapping[str, Limits]:
        """Those that have limits of their own."""
        file = self._current()
        return {tenant: file.of(tenant) for tenant in file.overrides}

    def _current(self) -> OverridesFile:
        if self._path is not None and monotonic() - self._looked >= LOOK_SECONDS:
            with self._lock:
                self._look(self._path)
        return self._file

    def _look(self, path: Path) -> None:
        self._looked = monotonic()
        version = self._seen()
        if version == self._version:
            return
        self._version = version
        try:
            self._file = load_document(path, OverridesFile)
        except (VivaceError, OSError) as error:
            self._report(f"{error}; the limits stay as they were")

    def _seen(self) -> tuple[int, int, int] | None:
        try:
            status = None if self._path is None else self._path.stat()
        except OSError:
            return None
        return None if status is None else (status.st_ino, status.st_mtime_ns, status.st_size)
