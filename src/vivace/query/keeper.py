"""Keeps what some answers held, so that it can be compared with what was sent once the load is over."""

from __future__ import annotations

from typing import Final

import polars as pl

from vivace.ledger import LedgerWriter
from vivace.query.answer import Found
from vivace.query.kind import Kind

ANSWERS: Final = pl.Schema(
    [
        ("query", pl.Int64()),  # as in the ledger of queries
        ("step", pl.Int16()),
        ("traces", pl.List(pl.String)),  # IDs in hex
        ("matched", pl.List(pl.Int64)),  # by trace; null where the target does not say
        ("spans", pl.List(pl.List(pl.String))),  # by trace, IDs in hex
    ]
)
KEPT: Final = frozenset({Kind.SEARCH, Kind.STREAMING_SEARCH, Kind.FETCH, Kind.TRACE})


class Keeper:
    """Of the answers between two calls of save() so many, the first that come."""

    def __init__(self, writer: LedgerWriter, most: int) -> None:
        self._writer = writer
        self._most = self._left = most

    def keep(self, number: int, step: int, kind: Kind, found: Found) -> None:
        """Keeps an answer, unless there were too many of late."""
        if kind not in KEPT or not self._left:
            return
        self._left -= 1
        seen = found.seen
        self._writer.append(
            [
                number,
                step,
                [trace.trace_id for trace in seen],
                [trace.matched for trace in seen],
                [list(trace.spans) for trace in seen],
            ]
        )

    def save(self) -> None:
        """Hands what is kept to the operating system."""
        self._left = self._most
        self._writer.flush()
