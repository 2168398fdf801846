"""Errors that nobody thought of: whoever asked is told in one line, and each is reported once."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from threading import Lock


class Unforeseen:
    """Safe for use by several threads."""

    def __init__(self, report: Callable[[str], None] = lambda _: None) -> None:
        """`report` is told of the first error of each type from each place."""
        self._report = report
        self._lock = Lock()
        self._known: set[tuple[str, str]] = set()

    def said(self, error: BaseException) -> str:
        """The line for whoever asked."""
        kind = type(error).__name__
        place = _place(error)
        with self._lock:
            new = (kind, place) not in self._known
            self._known.add((kind, place))
        if new:
            text = " ".join(str(error).split())
            self._report(f"a request could not be answered, which is a defect of Vivace: {kind} at {place}: {text}")
        return f"internal error: {kind}; the backend has reported it"


def _place(error: BaseException) -> str:
    """Where in our own code it arose."""
    place = "an unknown place"
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("vivace.") and not frame.f_code.co_filename.startswith(
            "<"
        ):  # what is generated has no lines
            place = f"{module}:{line}"
    return place
