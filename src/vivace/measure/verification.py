"""The ledger of probes -> whether what was acknowledged can be read back, and how soon."""

from __future__ import annotations

from typing import Final

import polars as pl

from vivace.measure.figures import VerificationFigures
from vivace.measure.latency import latency

MOST_PROBLEMS: Final = 10


def verification_figures(probes: pl.DataFrame) -> VerificationFigures | None:
    """Figures of a ledger of probes; None when nothing was probed."""
    if probes.is_empty():
        return None
    outcomes = {str(outcome): int(count) for outcome, count in probes.group_by("outcome").len().iter_rows()}
    found = probes.filter(pl.col("outcome") == "found")
    return VerificationFigures(
        checked_traces=probes.height - outcomes.get("unchecked", 0),
        missing_traces=outcomes.get("missing", 0),
        wrong_traces=outcomes.get("wrong", 0),
        unchecked_traces=outcomes.get("unchecked", 0),
        visible_ms=latency(found.select(pl.col("visible_ns") - pl.col("acknowledged_ns")).to_series()),
        at_first_read=found.filter(pl.col("polls") == 1).height,
        problems=_problems(probes.filter(pl.col("outcome") != "found")),
    )


def _problems(probes: pl.DataFrame) -> tuple[str, ...]:
    rows = probes.head(MOST_PROBLEMS).select("trace_id", "outcome", "message").iter_rows()
    return tuple(f"trace {trace} is {outcome}: {message or 'no reason given'}" for trace, outcome, message in rows)
