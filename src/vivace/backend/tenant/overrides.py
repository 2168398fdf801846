"""The limits of every tenant, from a file that may change while the backend runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock

from vivace.backend.followed import Followed
from vivace.backend.tenant.limits import Limits, OverridesFile
from vivace.profile.validation import load_document


class Overrides:
    """What holds for whom. Safe for use by several threads."""

    def __init__(self, path: Path | None = None, report: Callable[[str], None] = lambda _: None) -> None:
        """InvalidDocument with every problem of the file; one that goes bad later is reported, and not followed."""
        self._followed = None if path is None else _followed(path, report)
        self._built_in = OverridesFile()
        self._lock = Lock()
        self._known: tuple[OverridesFile, dict[str, Limits]] = (self._current(), {})

    @property
    def looks(self) -> Sequence[Callable[[], None]]:
        """What is to be called now and then, so that the file is followed."""
        return () if self._followed is None else (self._followed.look,)

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
        return self._built_in if self._followed is None else self._followed.value


def _followed(path: Path, report: Callable[[str], None]) -> Followed[OverridesFile]:
    return Followed((path,), lambda: load_document(path, OverridesFile), "the limits stay as they were", report)
