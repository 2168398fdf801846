"""A run's folder made of random rows: what a run leaves behind, in several moods, without running one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from vivace.judge.circumstances import Circumstances
from vivace.judge.verdict import judge
from vivace.ledger import PROBES, QUERIES, SENDS
from vivace.measure.asking import query_figures
from vivace.measure.figures import (
    Ceiling,
    Figures,
    Machine,
    write_figures,
)
from vivace.measure.ingest import ingest_figures
from vivace.measure.usage import resource_figures
from vivace.measure.verification import verification_figures
from vivace.profile.objective import DEFAULT_OBJECTIVES

START_NS = 1_794_500_000_000_000_000
SECOND_NS = 1_000_000_000
NAMES = ("slow database calls", "spans of one service", "rate by service")
BUCKETS = ("last minute", "last hour", "yesterday")

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """What happened in the run."""

    profile: str = "1x-medium"
    duration_s: float = 30.0
    requests_per_s: float = 60.0
    queries_per_s: float = 40.0
    spans: int = 10_000
    send_ms: float = 18.0
    query_ms: float = 60.0
    dropped: float = 0.0
    failed: float = 0.0
    missing: int = 0
    queries_failed: float = 0.0
    late_ms: float = 0.3
    query_name: str = "errors in checkout"
    message: str = "pushing too fast: the log is 512 MiB ahead"
    seed: int = 1
    ingests: bool = True
    asks: bool = True


PASSED = Sample()
FAILED = Sample(
    profile="1x-large",
    send_ms=140.0,
    query_ms=600.0,
    dropped=0.03,
    failed=0.05,
    missing=2,
    queries_failed=0.03,
)
INVALID = Sample(
    profile="soak",
    late_ms=60.0,
)
INGESTION = Sample(profile="ingest-only", asks=False)
QUERY = Sample(profile="query-only", ingests=False)


def write_run(folder: Path, sample: Sample = PASSED) -> Figures:
    """Writes all files that a run leaves for the report, and gives its figures."""
    rows = {
        "sends": sends(sample) if sample.ingests else pl.DataFrame(schema=SENDS),
        "queries": queries(sample) if sample.asks else pl.DataFrame(schema=QUERIES),
        "probes": probes(sample) if sample.ingests else pl.DataFrame(schema=PROBES),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in rows.items():
        frame.write_parquet(folder / f"{sample.profile}-{name}.parquet")
    samples(sample).write_csv(folder / f"{sample.profile}-metrics.csv")
    made = figures(sample, rows["sends"], rows["queries"], rows["probes"])
    write_figures(made, folder / f"{sample.profile}.json")
    return made


def figures(sample: Sample, sent: pl.DataFrame, asked: pl.DataFrame, probed: pl.DataFrame) -> Figures:
    """The figures of the rows, judged."""
    ingest = ingest_figures(sent, sample.duration_s)
    measured = Figures(
        profile=sample.profile,
        seed=sample.seed,
        target={"kind": "embedded", "otlp_endpoint": "127.0.0.1:4317", "query_url": "http://127.0.0.1:3200"},
        machine=MACHINE,
        started="2026-11-12T14:13:20Z",
        duration_s=sample.duration_s,
        ingest=ingest,
        query=query_figures(asked, sample.duration_s),
        verification=verification_figures(probed),
        resources=resource_figures(samples(sample), ingest.acknowledged_spans if ingest else None),
        ceiling=Ceiling(spans_per_s=2_412_000.0, mb_per_s=817.3) if ingest else None,
        clock_step_ms=0,
    )
    circumstances = Circumstances(sends=sample.ingests, asks=sample.asks)
    return judge(measured, DEFAULT_OBJECTIVES.values(), circumstances)


MACHINE = Machine(
    cores=4.0,
    memory_bytes=16_611_000_320,
    cpu="AMD EPYC 7B13",
    kernel="Linux 6.1.0",
    python="3.11.9",
    versions={"vivace": "0.1.0", "numpy": "2.4.6", "polars": "2.1.0", "pyarrow": "26.0.1", "grpcio": "1.85.1"},
)


def sends(sample: Sample) -> pl.DataFrame:
    """One row per request."""
    random = np.random.default_rng(sample.seed)
    count = int(sample.duration_s * sample.requests_per_s)
    due = START_NS + np.arange(count) * SECOND_NS / sample.requests_per_s
    late = random.exponential(sample.late_ms, count)
    wave = 1 + 0.6 * np.sin(np.arange(count) / count * 12) ** 8
    service = random.lognormal(np.log(sample.send_ms), 0.35, count) * wave
    draw = random.random(count)
    dropped = draw < sample.dropped
    failed = ~dropped & (draw < sample.dropped + sample.failed)
    started = due + late * 1e6
    return pl.DataFrame(
        {
            "request": np.arange(count),
            "signal": "traces",
            "worker": np.arange(count) % 2,
            "template": np.arange(count) % 8,
            "due_ns": due,
            "started_ns": _unless(dropped, started),
            "ended_ns": _unless(dropped, started + service * 1e6),
            "t0_ns": _unless(dropped, started - SECOND_NS),
            "items": sample.spans,
            "bytes": sample.spans * 331,
            "outcome": np.where(dropped, "dropped", np.where(failed, _unknown(draw), "acknowledged")),
            "rejected": 0,
            "status": pl.Series(np.where(failed, _status(draw), "OK")).replace("", None),
            "message": pl.Series(np.where(failed, sample.message, "")).replace("", None),
        },
    ).pipe(_in, SENDS)


def queries(sample: Sample) -> pl.DataFrame:
    """One row per query."""
    random = np.random.default_rng(sample.seed + 1)
    count = int(sample.duration_s * sample.queries_per_s)
    due = START_NS + np.arange(count) * SECOND_NS / sample.queries_per_s
    names = np.array((sample.query_name, *NAMES))
    name, bucket = np.arange(count) % len(names), random.integers(0, len(BUCKETS), count)
    service = random.lognormal(np.log(sample.query_ms), 0.5, count) * (1 + name) * (1 + 0.5 * bucket)
    failed = random.random(count) < sample.queries_failed
    started = due + random.exponential(0.2, count) * 1e6
    traces = np.where(failed, 0, random.integers(0, 21, count))
    return pl.DataFrame(
        {
            "query": np.arange(count),
            "name": names[name],
            "bucket": np.array(BUCKETS)[bucket],
            "kind": "search",
            "due_ns": due,
            "started_ns": started,
            "ended_ns": started + service * 1e6,
            "window_start_s": START_NS // SECOND_NS - 3600,
            "window_end_s": START_NS // SECOND_NS,
            "outcome": np.where(failed, "failed", "succeeded"),
            "failure": pl.Series(np.where(failed, "status", "")).replace("", None),
            "status": np.where(failed, 503, 200),
            "message": pl.Series(np.where(failed, sample.message, "")).replace("", None),
            "bytes": 900 + traces * 420,
            "traces": traces,
            "spans": traces * 3,
            "inspected_spans": 200_000 + traces,
            "trace_id": pl.Series([None] * count, dtype=pl.String),
            "journey": pl.Series([None] * count, dtype=pl.String),
            "step": 0,
            "items": pl.Series([None] * count, dtype=pl.Int32),
            "retries": 0,
            "limited": traces == 20,
            "digest": np.where(failed | (traces == 20), 0, np.arange(count)),
            "checked": pl.Series(np.where(failed, "", "right")).replace("", None),
        },
    ).pipe(_in, QUERIES)


def probes(sample: Sample) -> pl.DataFrame:
    """One row per trace that was read back."""
    random = np.random.default_rng(sample.seed + 2)
    count = int(sample.duration_s * 4)
    acknowledged = START_NS + np.arange(count) * SECOND_NS / 4
    visible = acknowledged + (350 + random.lognormal(5.6, 0.6, count)) * 1e6
    missing = np.arange(count) < sample.missing
    return pl.DataFrame(
        {
            "request": np.arange(count) * 15,
            "trace_id": [f"{n:032x}" for n in range(count)],
            "acknowledged_ns": acknowledged,
            "visible_ns": _unless(missing, visible),
            "polls": 3,
            "outcome": np.where(missing, "missing", "found"),
            "message": pl.Series([None] * count, dtype=pl.String),
            "spans": 32,
        },
    ).pipe(_in, PROBES)


def samples(sample: Sample) -> pl.DataFrame:
    """CPU and memory of each process, once a second."""
    seconds = np.arange(int(sample.duration_s) + 1, dtype=np.float64)
    frames = []
    for source, process, cores, megabytes in (
        ("generator", "sender 0", 0.42, 210),
        ("generator", "sender 1", 0.40, 214),
        ("target", "receiver", 0.9, 260),
        ("target", "indexer", 0.98, 700),
        ("target", "querier", 0.35, 480),
    ):
        wave = 1 + 0.12 * np.sin(seconds / 3 + cores * 7)
        for metric, values in (
            ("process_cpu_seconds_total", np.cumsum(cores * wave)),
            ("process_resident_memory_bytes", megabytes * 1e6 * (1 + seconds / 200) * wave**0.3),
        ):
            frames.append(
                pl.DataFrame({"time_s": START_NS / 1e9 + seconds, "value": values}).with_columns(
                    source=pl.lit(source), metric=pl.lit(metric), labels=pl.lit(f'process="{process}"')
                )
            )
    return pl.concat(frames).select("time_s", "source", "metric", "labels", "value").sort("time_s")


def _in(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The columns of a ledger; what is not there is null."""
    return frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in schema.items()
    )


def _unless(absent: npt.NDArray[np.bool_], values: Numbers) -> pl.Series:
    return pl.Series(values).set(pl.Series(absent), None).cast(pl.Int64)


def _unknown(draw: Numbers) -> npt.NDArray[np.str_]:
    return np.where((draw * 1e4).astype(int) % 4 == 0, "unknown", "failed")


def _status(draw: Numbers) -> npt.NDArray[np.str_]:
    return np.where((draw * 1e4).astype(int) % 4 == 0, "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")
