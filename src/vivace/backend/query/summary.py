"""What is known of each trace as a whole: when it started and ended, and its root span."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vivace.backend.query.value import Column, Rows, Type
from vivace.backend.query.view import View, column_bytes


@dataclass(frozen=True, slots=True)
class Summary:
    """Per row of `traces`: start and end in Unix nanoseconds, and the root span's row, -1 without one."""

    start: Rows
    end: Rows
    root: Rows

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.start.nbytes + self.end.nbytes + self.root.nbytes

    @property
    def duration(self) -> Rows:
        """Nanoseconds from the earliest start to the latest end."""
        return self.end - self.start


def summary(view: View) -> Summary:
    """Summaries of all traces of a unit."""
    return view.remember("summary", lambda: _summary(view), lambda made: made.nbytes)


def _summary(view: View) -> Summary:
    first = view.index("traces", "first")
    start = view.numbers("spans", "start").data.astype(np.int64, copy=False)
    if not len(first):
        return Summary(first, first, first)
    duration = np.maximum(view.numbers("spans", "duration").data.astype(np.int64, copy=False), 0)
    end = np.maximum.reduceat(start + duration, first)
    return Summary(np.minimum.reduceat(start, first), end, _roots(view, start))


def _roots(view: View, start: Rows) -> Rows:
    """The root span that starts last; among those that start together the one with the highest ID."""
    candidates = np.flatnonzero(view.words("spans", "parent_id") == 0)
    trace = view.index("spans", "trace")[candidates]
    order = np.lexsort((view.words("spans", "span_id")[candidates], start[candidates], trace))
    last = np.append(trace[order][1:] != trace[order][:-1], True)[: len(order)]
    roots = np.full(view.rows("traces"), -1, np.int64)
    roots[trace[order][last]] = candidates[order][last]
    return roots


def root_names(view: View) -> Column:
    """The name of each trace's root span, empty without a root."""
    return view.remember(
        "root names", lambda: _of_roots(view.text("spans", "name", ""), summary(view).root), column_bytes
    )


def root_services(view: View) -> Column:
    """The service of each trace's root span, empty without a root."""
    return view.remember("root services", lambda: _root_services(view), column_bytes)


def span_services(view: View, rows: Rows) -> Column:
    """The services of some spans, empty where their resources name none."""
    return resource_services(view).take(view.index("spans", "resource")[rows])


def resource_services(view: View) -> Column:
    """service.name of every resource as text, empty where it is missing or of another type."""
    return view.remember("services", lambda: _resource_services(view), column_bytes)


def _root_services(view: View) -> Column:
    roots = summary(view).root
    return span_services(view, np.maximum(roots, 0)).only(roots >= 0).default("") if len(roots) else _no_words()


def _no_words() -> Column:
    return Column(Type.STRING, np.zeros(0, np.int32))


def _resource_services(view: View) -> Column:
    for part in view.attribute("resources", "service.name").parts:
        if isinstance(part, Column) and part.type is Type.STRING:
            return part.default("")
    return Column(Type.STRING, np.full(view.rows("resources"), -1, np.int32)).default("")


def _of_roots(column: Column, roots: Rows) -> Column:
    if not len(column):
        return column
    return column.take(np.maximum(roots, 0)).only(roots >= 0).default("")
