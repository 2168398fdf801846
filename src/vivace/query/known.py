"""IDs of traces that a target should have: computed from the seed and the numbers of requests that it acknowledged."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from random import Random
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from vivace.errors import ConfigurationError
from vivace.ledger import SENDS, read_ledger
from vivace.query.bucket import Window
from vivace.query.settings import SentTelemetry
from vivace.telemetry.identity import trace_ids
from vivace.telemetry.template import Template

MOST: Final = 20_000
"""Requests that are remembered; the oldest are forgotten first."""
SETTLED_S: Final = 10
"""A trace may take so long to appear; until then, that it is missing is nothing to be said."""


class KnownTraces:
    """Requests by the time that their traces begin."""

    def __init__(self, sent: SentTelemetry) -> None:
        self._template = Template.open(sent.template)
        self._seed = sent.seed
        self._requests: list[tuple[int, int]] = []  # t0_ns, number
        if sent.ledger is not None:
            self._read(sent)

    def add(self, acknowledged: Iterable[tuple[int, ...]]) -> None:
        """Number and t0_ns of each."""
        for number, t0_ns in acknowledged:
            insort(self._requests, (t0_ns, number))
        del self._requests[:-MOST]

    def pick(self, window: Window | None, chance: float) -> str | None:
        """The ID of a trace that begins inside the window, in hex; None where there is none."""
        first, last = 0, len(self._requests)
        if window is not None:
            first = bisect_left(self._requests, (window.start_s * 10**9, 0))
            last = bisect_right(self._requests, (window.end_s * 10**9, 0))
        if first >= last:
            return None
        place = chance * (last - first)
        _, number = self._requests[first + int(place)]
        identifiers = trace_ids(self._template, self._seed, number)
        return identifiers[int(place % 1.0 * len(identifiers))].hex()

    def _read(self, sent: SentTelemetry) -> None:
        assert sent.ledger is not None  # noqa: S101 - asked before
        whole = (pl.col("outcome") == "acknowledged") & (pl.col("rejected").fill_null(0) == 0)
        whole &= pl.col("disorder").is_null()
        try:
            ledger = read_ledger(sent.ledger, SENDS)
        except (OSError, PolarsError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigurationError(f"{sent.ledger}: is no ledger of sends: {reason}; name one of a run") from error
        rows = ledger.filter(whole & (pl.col("signal").fill_null("traces") == "traces"))
        chosen = rows.sample(min(MOST, rows.height), seed=sent.seed % 2**32).sort("t0_ns")
        self._requests = list(chosen.select("t0_ns", "request").iter_rows())


def never_sent(number: int) -> str:
    """The ID of a trace that nobody has sent, in hex: what a user asks for who has mistyped."""
    return Random(f"never sent {number}").randbytes(16).hex()  # noqa: S311 - nobody's secret
