"""The ledger of queries -> what was asked and answered, overall and by query, time bucket and kind."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from vivace.measure.figures import QueryFigures, QueryGroup
from vivace.measure.ingest import elapsed_seconds
from vivace.measure.latency import LATE, RESPONSE, SERVICE, latency
from vivace.measure.lateness import late_count

NS: Final = 1_000_000_000
CLOSED_S: Final = 10
"""After its end a window's telemetry may take so long to appear."""
MOST_DIFFERENCES: Final = 10


def query_figures(queries: pl.DataFrame, duration_s: float, vus_max: int | None = None) -> QueryFigures | None:
    """Figures of a ledger of queries; None when none was offered. Rates are over the time as for sends."""
    if queries.is_empty():
        return None
    succeeded = queries.filter(pl.col("outcome") == "succeeded")
    seconds = elapsed_seconds(queries, succeeded, duration_s)
    whole = query_group(queries, seconds, vus_max)
    return QueryFigures(
        **dict(whole),
        by_query=_groups(queries, "name", seconds),
        by_bucket=_groups(queries, "bucket", seconds),
        by_kind=_groups(queries, "kind", seconds),
        **_repetition(succeeded),
    )


def query_group(queries: pl.DataFrame, seconds: float, vus_max: int | None = None) -> QueryGroup:
    """Figures of some queries, asked over so many seconds."""
    outcomes = {str(outcome): int(count) for outcome, count in queries.group_by("outcome").len().iter_rows()}
    sent = queries.filter(pl.col("outcome") != "dropped")
    succeeded = queries.filter(pl.col("outcome") == "succeeded")
    return QueryGroup(
        offered=queries.height,
        dropped=outcomes.get("dropped", 0),
        sent=sent.height,
        succeeded=outcomes.get("succeeded", 0),
        failed=outcomes.get("failed", 0),
        late=late_count(queries, vus_max),
        queries_per_s=outcomes.get("succeeded", 0) / seconds,
        bytes=_sum(sent, "bytes"),
        traces=_sum(succeeded, "traces"),
        spans=_sum(succeeded, "spans"),
        items=_sum(succeeded, "items"),
        inspected_spans=_sum(succeeded, "inspected_spans"),
        empty=_empty(succeeded),
        retries=_sum(sent, "retries"),
        response_ms=latency(sent.select(RESPONSE).to_series()),
        service_ms=latency(sent.select(SERVICE).to_series()),
        late_ms=latency(sent.select(LATE).to_series()),
        failures=_failures(queries),
        checks=_checks(queries),
    )


def _sum(rows: pl.DataFrame, column: str) -> int | None:
    known = rows[column].drop_nulls()
    return None if known.is_empty() else int(known.cast(pl.Int64).sum())


def _empty(succeeded: pl.DataFrame) -> int | None:
    """None where it is not known of any answer what it held."""
    known = succeeded.filter(pl.col("traces").is_not_null() | pl.col("items").is_not_null())
    if known.is_empty():
        return None
    return known.filter((pl.col("traces").fill_null(0) == 0) & (pl.col("items").fill_null(0) == 0)).height


def _checks(queries: pl.DataFrame) -> dict[str, int]:
    counts = queries["checked"].drop_nulls().value_counts(sort=True)
    return {str(verdict): int(count) for verdict, count in counts.iter_rows()}


def _repetition(succeeded: pl.DataFrame) -> dict[str, Any]:
    """Answers to the same question about a window that had been closed for CLOSED_S; they should be the same."""
    closed = succeeded.filter(
        pl.col("digest").is_not_null() & (pl.col("started_ns") > (pl.col("window_end_s") + CLOSED_S) * NS)
    )
    groups = closed.group_by("name", "kind", "window_start_s", "window_end_s", maintain_order=True).agg(
        pl.len().alias("answers"), pl.col("digest").n_unique().alias("kinds"), pl.col("query").first()
    )
    repeated = groups.filter(pl.col("answers") > 1)
    if repeated.is_empty():
        return {}
    differing = repeated.filter(pl.col("kinds") > 1)
    return {
        "repeated": repeated.height,
        "differing": differing.height,
        "differences": tuple(_difference(row) for row in differing.head(MOST_DIFFERENCES).iter_rows(named=True)),
    }


def _difference(row: dict[str, object]) -> str:
    window = f"{row['window_start_s']} to {row['window_end_s']}"
    return f"{row['name']} over {window} (query {row['query']}): {row['kinds']} answers of {row['answers']} differ"


def _groups(queries: pl.DataFrame, column: str, seconds: float) -> dict[str, QueryGroup]:
    parts = queries.filter(pl.col(column).is_not_null()).partition_by(column, as_dict=True)
    return {
        str(key[0]): query_group(part, seconds) for key, part in sorted(parts.items(), key=lambda item: str(item[0]))
    }


def _failures(queries: pl.DataFrame) -> dict[str, int]:
    failed = queries.filter(pl.col("outcome") == "failed").with_columns(pl.col("failure").fill_null("unknown"))
    counts = failed.group_by("failure").len().sort("len", "failure", descending=[True, False])
    return {str(cause): int(count) for cause, count in counts.iter_rows()}
