"""A load's ledger and its kept answers -> the ledger with what the comparison with the sent telemetry says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

import polars as pl

from vivace.ledger import QUERIES, SENDS, read_ledger, read_part
from vivace.query.answer import Failure, FoundTrace
from vivace.query.bucket import Window
from vivace.query.keeper import ANSWERS
from vivace.query.oracle.judgement import Judge, Kept, Verdict
from vivace.query.oracle.sent import Sent
from vivace.query.settings import QuerySettings
from vivace.telemetry.template import Template
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

LONGEST_S: Final = 10.0
"""That the comparison may take; what it does not get to is unchecked."""
KEY: Final = ("query", "step")
TOO_LATE: Final = Verdict("unchecked", "there was no time to compare it")


def check_load(settings: QuerySettings, answers: Path, sends: Path | None = None, longest_s: float = LONGEST_S) -> None:
    """Writes into the load's ledger which answers are right; a wrong one becomes a failure. Removes the answers.

    `sends` is the ledger of what was sent; None: the one that the settings name.
    """
    sent = settings.sent
    if sent is None or not answers.exists():
        return
    ledger = sends or sent.ledger
    kept = read_part(answers, ANSWERS)
    if ledger is not None and ledger.exists() and not kept.is_empty():
        queries = read_ledger(settings.ledger, QUERIES)
        known = Sent(Template.open(sent.template), sent.seed, read_ledger(ledger, SENDS))
        checked = checked_queries(queries, kept, known, settings, longest_s)
        temporary = settings.ledger.with_suffix(".tmp")
        checked.write_parquet(temporary)
        temporary.rename(settings.ledger)
    answers.unlink()


def checked_queries(
    queries: pl.DataFrame, answers: pl.DataFrame, sent: Sent, settings: QuerySettings, longest_s: float
) -> pl.DataFrame:
    """The same rows; those whose answers were kept say what the comparison gave."""
    rows = queries.join(answers, on=KEY, how="inner", suffix="_kept").rows(named=True)
    wanted = {trace_id for row in rows for trace_id in row["traces_kept"]}
    exclusive = settings.sent is not None and settings.sent.exclusive
    judge = Judge(sent, sent.owners(wanted), exclusive)
    verdicts = dict(_verdicts(rows, judge, settings, longest_s))
    told = pl.DataFrame(
        [(*key, *verdict) for key, verdict in verdicts.items()],
        schema={"query": pl.Int64, "step": pl.Int16, "verdict": pl.String, "reason": pl.String},
        orient="row",
    )
    joined = queries.join(told, on=KEY, how="left", maintain_order="left")
    wrong = (pl.col("verdict") == "wrong").fill_null(False)
    return joined.with_columns(
        checked=pl.coalesce("verdict", "checked"),
        outcome=pl.when(wrong).then(pl.lit("failed")).otherwise("outcome"),
        failure=pl.when(wrong).then(pl.lit(Failure.WRONG.value)).otherwise("failure"),
        message=pl.when(wrong).then("reason").otherwise("message"),
    ).select(QUERIES.names())


def _verdicts(
    rows: list[dict[str, Any]], judge: Judge, settings: QuerySettings, longest_s: float
) -> Iterator[tuple[tuple[int, int], Verdict]]:
    """In an order that favours no part of the load, should time run out."""
    pipelines = {query.name: _pipeline(query.traceql) for query in settings.queries if query.kind.finds_traces}
    give_up = monotonic() + longest_s
    Random(settings.seed).shuffle(rows)  # noqa: S311 - nobody's secret
    for row in rows:
        pipeline = pipelines.get(row["name"]) if row["trace_id"] is None else None
        verdict = judge.verdict(_kept(row, pipeline)) if monotonic() < give_up else TOO_LATE
        yield (row["query"], row["step"]), verdict


def _pipeline(traceql: str) -> Pipeline:
    root = parse(traceql).root
    assert isinstance(root, Pipeline)  # noqa: S101 - settings have only searches of this kind
    return root


def _kept(row: dict[str, Any], pipeline: Pipeline | None) -> Kept:
    start_s, end_s = row["window_start_s"], row["window_end_s"]
    return Kept(
        name=row["name"],
        pipeline=pipeline,
        window=None if start_s is None else Window(start_s, end_s),
        started_ns=row["started_ns"],
        limited=bool(row["limited"]),
        traces=tuple(
            FoundTrace(trace_id, matched, tuple(spans))
            for trace_id, matched, spans in zip(row["traces_kept"], row["matched"], row["spans_kept"], strict=True)
        ),
    )
