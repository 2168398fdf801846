"""Ledgers -> what happened in each second, for charts. Second 0 begins with the load; every second has a row.

Offered and response times go by when a request was due, sent by its start, and what became of it by its end.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from vivace.measure.ingest import ACKNOWLEDGED, ITEMS
from vivace.measure.latency import PER_MILLE, RESPONSE, percentile

NS: Final = 1_000_000_000


def start_of(rows: pl.DataFrame) -> int | None:
    """When a load began, in Unix nanoseconds: when its first request was due; None for an empty ledger."""
    start = rows["due_ns"].min()
    return start if isinstance(start, int) else None


def send_series(sends: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Columns: second; offered, dropped, sent, acknowledged, rejected, failed and unknown spans; acknowledged_mb;
    response p50 to max in ms (null where nothing was due)."""
    sent, ended = sends.filter(_sent()), sends.filter(pl.col("ended_ns").is_not_null())
    acknowledged = ACKNOWLEDGED.sum().alias("acknowledged_spans")
    parts = [
        _by(sends, "due_ns", start_ns, ITEMS.sum().alias("offered_spans"), _spans("dropped")),
        _by(sent, "started_ns", start_ns, ITEMS.sum().alias("sent_spans")),
        _by(ended, "ended_ns", start_ns, acknowledged, _rejected(), _spans("failed"), _spans("unknown"), _megabytes()),
        _by(sent, "due_ns", start_ns, *_percentiles()),
    ]
    return _join(parts)


def query_series(queries: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Columns: second; offered, dropped, sent, succeeded and failed queries; response p50 to max in ms."""
    sent, ended = queries.filter(_sent()), queries.filter(pl.col("ended_ns").is_not_null())
    parts = [
        _by(queries, "due_ns", start_ns, pl.len().alias("offered"), _rows("dropped")),
        _by(sent, "started_ns", start_ns, pl.len().alias("sent")),
        _by(ended, "ended_ns", start_ns, _rows("succeeded"), _rows("failed")),
        _by(sent, "due_ns", start_ns, *_percentiles()),
    ]
    return _join(parts)


def error_series(sends: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Columns: second, status, requests: sent ones that were not acknowledged. Only seconds that had some."""
    failed = sends.filter(_sent() & (pl.col("outcome") != "acknowledged"))
    return _counted(failed, pl.col("status").fill_null("no answer").alias("status"), "requests", start_ns)


def failure_series(queries: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Columns: second, failure, queries: those that failed, by cause. Only seconds that had some."""
    failed = queries.filter(pl.col("outcome") == "failed")
    return _counted(failed, pl.col("failure").fill_null("unknown").alias("failure"), "queries", start_ns)


def kind_series(queries: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Columns: second, kind, queries: those that were answered, by kind. Only seconds that had some."""
    answered = queries.filter(pl.col("outcome") == "succeeded")
    return _counted(answered, pl.col("kind"), "queries", start_ns)


def outcome_series(queries: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Columns: second (of the end, or when dropped of the due time), outcome, queries. Only seconds that had some."""
    second = ((pl.coalesce("ended_ns", "due_ns") - start_ns) // NS).alias("second")
    return queries.group_by(second, "outcome").agg(pl.len().alias("queries")).sort(pl.all())


def heat_series(queries: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Columns: second (with a fraction, of the due time), response_ms: a row for each query that ended."""
    ended = queries.filter(pl.col("ended_ns").is_not_null())
    return ended.select(((pl.col("due_ns") - start_ns) / NS).alias("second"), (RESPONSE / 1e6).alias("response_ms"))


def visible_series(probes: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Columns: second (with a fraction, of the acknowledgement), outcome, visible_ms (null when not found)."""
    return probes.select(
        ((pl.col("acknowledged_ns") - start_ns) / NS).alias("second"),
        "outcome",
        ((pl.col("visible_ns") - pl.col("acknowledged_ns")) / 1e6).alias("visible_ms"),
    ).sort("second")


def _sent() -> pl.Expr:
    return pl.col("outcome") != "dropped"


def _spans(outcome: str) -> pl.Expr:
    return ITEMS.filter(pl.col("outcome") == outcome).sum().alias(f"{outcome}_spans")


def _rows(outcome: str) -> pl.Expr:
    return (pl.col("outcome") == outcome).sum().alias(outcome)


def _rejected() -> pl.Expr:
    return pl.col("rejected").filter(pl.col("outcome") == "acknowledged").cast(pl.Int64).sum().alias("rejected_spans")


def _megabytes() -> pl.Expr:
    acknowledged = pl.col("bytes").filter(pl.col("outcome") == "acknowledged").cast(pl.Int64)
    return (acknowledged.sum() / 1e6).alias("acknowledged_mb")


def _percentiles() -> list[pl.Expr]:
    return [percentile(RESPONSE, name).alias(name) for name in PER_MILLE]


def _second(column: str, start_ns: int) -> pl.Expr:
    return ((pl.col(column) - start_ns) // NS).alias("second")


def _by(rows: pl.DataFrame, column: str, start_ns: int, *figures: pl.Expr) -> pl.DataFrame:
    return rows.group_by(_second(column, start_ns)).agg(*figures)


def _join(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """All parts side by side, one row for every second; counts are zero where nothing happened."""
    last = max((int(part["second"].max()) for part in parts if not part.is_empty()), default=-1)  # type: ignore[arg-type]
    joined = pl.DataFrame({"second": pl.int_range(0, last + 1, eager=True)})
    for part in parts:
        joined = joined.join(part, on="second", how="left")
    counts = [name for name in joined.columns if name not in PER_MILLE]
    return joined.with_columns(pl.col(counts).fill_null(0)).sort("second")


def _counted(rows: pl.DataFrame, kind: pl.Expr, noun: str, start_ns: int) -> pl.DataFrame:
    column = pl.coalesce("ended_ns", "started_ns")
    second = ((column - start_ns) // NS).alias("second")
    return rows.group_by(second, kind).agg(pl.len().alias(noun)).sort(pl.all())
