"""The ledger of sends -> what was offered, sent and acknowledged, how fast, and how long it took."""

from __future__ import annotations

from typing import Final

import polars as pl

from vivace.measure.figures import IngestFigures
from vivace.measure.latency import LATE, RESPONSE, SERVICE, latency
from vivace.measure.lateness import late_count

ITEMS: Final = pl.col("items").cast(pl.Int64)
REJECTED: Final = pl.when(pl.col("outcome") == "acknowledged").then(pl.col("rejected").fill_null(0)).otherwise(0)
ACKNOWLEDGED: Final = (
    pl.when(pl.col("outcome") == "acknowledged").then(ITEMS - REJECTED.cast(pl.Int64)).otherwise(pl.lit(0, pl.Int64))
)


def ingest_figures(sends: pl.DataFrame, duration_s: float, vus_max: int | None = None) -> IngestFigures | None:
    """Figures of a ledger of sends; None when nothing was offered.

    Rates are over `duration_s`, or over the time until the last acknowledgement where that is longer.
    """
    if sends.is_empty():
        return None
    spans = {str(outcome): int(count) for outcome, count in sends.group_by("outcome").agg(ITEMS.sum()).iter_rows()}
    sent = sends.filter(pl.col("outcome") != "dropped")
    rejected = int(sends.select(REJECTED.cast(pl.Int64).sum()).item())
    acknowledged = sends.filter(pl.col("outcome") == "acknowledged")
    seconds = elapsed_seconds(sends, acknowledged, duration_s)
    return IngestFigures(
        offered_spans=sum(spans.values()),
        dropped_spans=spans.get("dropped", 0),
        sent_spans=int(sent.select(ITEMS.sum()).item()),
        acknowledged_spans=spans.get("acknowledged", 0) - rejected,
        rejected_spans=rejected,
        failed_spans=spans.get("failed", 0),
        unknown_spans=spans.get("unknown", 0),
        sent_bytes=_bytes(sent),
        requests=sent.height,
        late_requests=late_count(sends, vus_max),
        spans_per_s=(spans.get("acknowledged", 0) - rejected) / seconds,
        mb_per_s=_bytes(acknowledged) / 1e6 / seconds,
        response_ms=latency(sent.select(RESPONSE).to_series()),
        service_ms=latency(sent.select(SERVICE).to_series()),
        late_ms=latency(sent.select(LATE).to_series()),
        errors=_errors(sent),
        attempts=_attempts(sent),
        retry_amplification=_amplification(sent),
        disorder=_disorder(sent),
    )


def elapsed_seconds(rows: pl.DataFrame, succeeded: pl.DataFrame, duration_s: float) -> float:
    """How long the load lasted: as told, or until the last success where that came later; never zero."""
    ended, due = succeeded["ended_ns"].max(), rows["due_ns"].min()
    until_last = (ended - due) / 1e9 if isinstance(ended, int) and isinstance(due, int) else 0.0
    return max(duration_s, until_last, 1e-9)


def _bytes(rows: pl.DataFrame) -> int:
    return int(rows.select(pl.col("bytes").cast(pl.Int64).sum()).item())


def _errors(sent: pl.DataFrame) -> dict[str, int]:
    """Requests that were not acknowledged by status, the most frequent first."""
    failed = sent.filter(pl.col("outcome") != "acknowledged").with_columns(pl.col("status").fill_null("no answer"))
    counts = failed.group_by("status").len().sort("len", "status", descending=[True, False])
    return {str(status): int(count) for status, count in counts.iter_rows()}


def _attempts(sent: pl.DataFrame) -> int | None:
    """None where the ledger does not say."""
    attempts = sent["attempts"] if "attempts" in sent.columns else pl.Series(dtype=pl.Int64)
    return int(attempts.cast(pl.Int64).sum()) if attempts.len() and attempts.null_count() == 0 else None


def _amplification(sent: pl.DataFrame) -> float | None:
    size = _bytes(sent)
    if _attempts(sent) is None or not size:
        return None
    return float(sent.select((pl.col("bytes").cast(pl.Int64) * pl.col("attempts")).sum()).item()) / size


def _disorder(sent: pl.DataFrame) -> dict[str, int]:
    """Requests by what is wrong with them on purpose, the most frequent first."""
    if "disorder" not in sent.columns:
        return {}
    counts = sent.drop_nulls("disorder").group_by("disorder").len().sort("len", "disorder", descending=[True, False])
    return {str(kind): int(count) for kind, count in counts.iter_rows()}
