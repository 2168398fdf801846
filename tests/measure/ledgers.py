"""Ledgers made of a few named values per row, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from hypothesis import strategies as st

from vivace.ledger import PROBES, QUERIES, SENDS, row

MS = 1_000_000
SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND


def sends(*rows: Mapping[str, object]) -> pl.DataFrame:
    """One acknowledged request of 10 spans and 1000 bytes every 100 ms, 20 ms long, but for what the rows say."""
    return _ledger(SENDS, [_send(n) | dict(values) for n, values in enumerate(rows)])


def queries(*rows: Mapping[str, object]) -> pl.DataFrame:
    """One search that succeeded every 100 ms, 20 ms long, but for what the rows say."""
    return pl.DataFrame(
        [row(QUERIES, _query(n) | dict(values)) for n, values in enumerate(rows)], QUERIES, orient="row"
    )


def probes(*rows: Mapping[str, object]) -> pl.DataFrame:
    """One trace that was found 50 ms after its acknowledgement, every second, but for what the rows say."""
    return _ledger(PROBES, [_probe(n) | dict(values) for n, values in enumerate(rows)])


def dropped(**values: object) -> dict[str, object]:
    """A request or query that fell due with no VU free."""
    return {"outcome": "dropped", "started_ns": None, "ended_ns": None} | values


def timed(n: int, late_ms: float, service_ms: float) -> dict[str, object]:
    """Started so late and ended so much later, of the nth row."""
    started = START + n * 100 * MS + round(late_ms * MS)
    return {"started_ns": started, "ended_ns": started + round(service_ms * MS)}


def _ledger(schema: pl.Schema, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    return pl.DataFrame([row(schema, values) for values in rows], schema, orient="row")


def _send(n: int) -> dict[str, object]:
    due = START + n * 100 * MS
    return {
        "request": n,
        "signal": "traces",
        "worker": 0,
        "template": 0,
        "due_ns": due,
        "started_ns": due,
        "ended_ns": due + 20 * MS,
        "t0_ns": due,
        "items": 10,
        "bytes": 1000,
        "outcome": "acknowledged",
        "rejected": 0,
        "status": "OK",
    }


def _query(n: int) -> dict[str, object]:
    due = START + n * 100 * MS
    return {
        "query": n,
        "name": "errors",
        "bucket": "recent",
        "kind": "search",
        "due_ns": due,
        "started_ns": due,
        "ended_ns": due + 20 * MS,
        "outcome": "succeeded",
        "status": 200,
    }


def _probe(n: int) -> dict[str, object]:
    acknowledged = START + n * SECOND
    return {
        "request": n,
        "trace_id": f"{n:032x}",
        "acknowledged_ns": acknowledged,
        "visible_ns": acknowledged + 50 * MS,
        "polls": 2,
        "outcome": "found",
        "spans": 10,
    }


def _any_send(draw_outcome: str, items: int, rejected: int, late_ms: int, service_ms: int) -> dict[str, object]:
    return {
        "outcome": draw_outcome,
        "items": items,
        "rejected": min(rejected, items) if draw_outcome == "acknowledged" else None,
        "late_ms": late_ms,
        "service_ms": service_ms,
    }


def _placed(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    placed: list[dict[str, object]] = []
    for n, values in enumerate(rows):
        late, service = values.pop("late_ms"), values.pop("service_ms")
        assert isinstance(late, int)
        assert isinstance(service, int)
        times = dropped() if values["outcome"] == "dropped" else timed(n, late, service)
        placed.append(values | times | {"outcome": values["outcome"], "worker": n % 2})
    return sends(*placed)


send_ledgers: st.SearchStrategy[pl.DataFrame] = st.lists(
    st.builds(
        _any_send,
        st.sampled_from(["dropped", "acknowledged", "failed", "unknown"]),
        st.integers(0, 1000),
        st.integers(0, 50),
        st.integers(0, 300),
        st.integers(0, 2500),
    ),
    min_size=1,
    max_size=30,
).map(_placed)
"""Any ledgers of sends by two workers, with balanced books."""
