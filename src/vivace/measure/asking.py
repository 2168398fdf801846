"""The ledger of queries -> what was asked and answered, overall and by query, time bucket and kind."""

from __future__ import annotations

import polars as pl

from vivace.measure.figures import QueryFigures, QueryGroup
from vivace.measure.ingest import elapsed_seconds
from vivace.measure.latency import LATE, RESPONSE, SERVICE, latency
from vivace.measure.lateness import late_count


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
    )


def query_group(queries: pl.DataFrame, seconds: float, vus_max: int | None = None) -> QueryGroup:
    """Figures of some queries, asked over so many seconds."""
    outcomes = {str(outcome): int(count) for outcome, count in queries.group_by("outcome").len().iter_rows()}
    sent = queries.filter(pl.col("outcome") != "dropped")
    return QueryGroup(
        offered=queries.height,
        dropped=outcomes.get("dropped", 0),
        sent=sent.height,
        succeeded=outcomes.get("succeeded", 0),
        failed=outcomes.get("failed", 0),
        late=late_count(queries, vus_max),
        queries_per_s=outcomes.get("succeeded", 0) / seconds,
        traces=_traces(queries),
        response_ms=latency(sent.select(RESPONSE).to_series()),
        service_ms=latency(sent.select(SERVICE).to_series()),
        late_ms=latency(sent.select(LATE).to_series()),
        failures=_failures(queries),
    )


def _traces(queries: pl.DataFrame) -> int | None:
    found = queries.filter(pl.col("outcome") == "succeeded")["traces"].drop_nulls()
    return None if found.is_empty() else int(found.cast(pl.Int64).sum())


def _groups(queries: pl.DataFrame, column: str, seconds: float) -> dict[str, QueryGroup]:
    parts = queries.filter(pl.col(column).is_not_null()).partition_by(column, as_dict=True)
    return {
        str(key[0]): query_group(part, seconds) for key, part in sorted(parts.items(), key=lambda item: str(item[0]))
    }


def _failures(queries: pl.DataFrame) -> dict[str, int]:
    failed = queries.filter(pl.col("outcome") == "failed").with_columns(pl.col("failure").fill_null("unknown"))
    counts = failed.group_by("failure").len().sort("len", "failure", descending=[True, False])
    return {str(cause): int(count) for cause, count in counts.iter_rows()}
