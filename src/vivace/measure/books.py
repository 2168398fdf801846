"""Whether the books balance: every request of the schedule is in the ledger once, with an outcome that fits its row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

SEND_OUTCOMES: Final = ("dropped", "acknowledged", "failed", "unknown")
QUERY_OUTCOMES: Final = ("dropped", "succeeded", "failed")

_DROPPED: Final = pl.col("outcome") == "dropped"
_OUTCOME_MISFITS: Final = {
    "were dropped and yet started": _DROPPED & pl.col("started_ns").is_not_null(),
    "have an outcome but no start": ~_DROPPED & pl.col("started_ns").is_null(),
    "ended before they started": pl.col("ended_ns") < pl.col("started_ns"),
    "were answered but have no end": pl.col("outcome").is_in(("acknowledged", "succeeded"))
    & pl.col("ended_ns").is_null(),
}


def unbalanced_sends(sends: pl.DataFrame, offered: int | None = None) -> tuple[str, ...]:
    """What does not balance in a ledger of sends, in plain words; `offered` requests were counted besides it."""
    misfits = _OUTCOME_MISFITS | {
        "had more spans rejected than sent": pl.col("rejected") > pl.col("items"),
        "have no count of spans": pl.col("items").is_null() | (pl.col("items") < 0),
    }
    return (
        *_count(sends, "requests", offered),
        *_numbers(sends, "request", "requests"),
        *_gaps(sends),
        *_outcomes(sends, "requests", SEND_OUTCOMES),
        *_misfits(sends, "requests", misfits),
    )


def unbalanced_queries(queries: pl.DataFrame, offered: int | None = None) -> tuple[str, ...]:
    """What does not balance in a ledger of queries; `offered` were counted besides it."""
    return (
        *_count(queries, "queries", offered),
        *_outcomes(queries, "queries", QUERY_OUTCOMES),
        *_misfits(queries, "queries", _OUTCOME_MISFITS),
    )


def _count(rows: pl.DataFrame, noun: str, offered: int | None) -> Iterator[str]:
    if offered is not None and offered != rows.height:
        yield f"{offered:,} {noun} were offered, but the ledger has {rows.height:,}"


def _numbers(rows: pl.DataFrame, column: str, noun: str) -> Iterator[str]:
    twice = rows.height - rows[column].n_unique()
    if twice:
        yield f"{twice:,} {noun} are in the ledger more than once"


def _gaps(sends: pl.DataFrame) -> Iterator[str]:
    """Of W workers each has every W-th request from its own number on; anything between is missing."""
    ordered = sends.select("worker", "request").unique().sort("worker", "request")
    steps = ordered.select(pl.col("request").diff().over("worker")).to_series().drop_nulls()
    if steps.is_empty():
        return
    stride = int(steps.min())  # type: ignore[arg-type]
    missing = int((steps // stride - 1).sum())
    if missing:
        yield f"{missing:,} requests are missing from the ledger"
    silent = stride - ordered["worker"].n_unique()
    if silent > 0:
        yield f"of {stride} workers {silent} are missing from the ledger"


def _outcomes(rows: pl.DataFrame, noun: str, known: Sequence[str]) -> Iterator[str]:
    strange = rows.filter(~pl.col("outcome").is_in(known).fill_null(False)).height
    if strange:
        yield f"{strange:,} {noun} have no outcome that is known"


def _misfits(rows: pl.DataFrame, noun: str, misfits: dict[str, pl.Expr]) -> Iterator[str]:
    for words, condition in misfits.items():
        count = rows.filter(condition).height
        if count:
            yield f"{count:,} {noun} {words}"
