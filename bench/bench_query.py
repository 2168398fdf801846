"""What the embedded backend answers: time per query over stored spans, and under a load of new ones.

Stored: each query of the built-in mix and some of every other kind is asked of a fresh querier (cold) and again (warm),
in this process. Live: a started backend takes new spans while the built-in mix is asked over HTTP.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import psutil

from vivace.backend.query.parameters import (
    MetricsParameters,
    SearchParameters,
    metrics_parameters,
    search_parameters,
)
from vivace.backend.query.querier import Querier
from vivace.backend.serve.supervisor import Backend, ServeSettings
from vivace.backend.store.block import write_block
from vivace.backend.store.decode import decode
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import LogPosition, Manifest, write_manifest
from vivace.backend.store.segment import write_segment
from vivace.backend.store.store import Store
from vivace.backend.store.unit import UnitKind, unit_info
from vivace.ledger import QUERIES as QUERY_ROWS
from vivace.ledger import read_ledger
from vivace.pace import ConstantRate
from vivace.query.load import QueryLoad
from vivace.query.mix import QUERIES, built_in_mix
from vivace.query.settings import QuerySettings
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Template

SEED = 7
RATE = 17_000
"""Spans per second of the live load, and of the times in what is stored."""
SEGMENTS = 20
REPEATS = 9
SEARCHES = (
    ("count", "{ } | count() > 30"),
    ("group", "{ status = error } | by(resource.service.name) | count() > 2"),
    ("client_errors_below_servers", "{ kind = server } >> { status = error && kind = client }"),
    ("exceptions", '{ event:name = "exception" }'),
    ("slow_roots_none", "{ nestedSetParent < 0 && duration > 1h }"),
    ("structure_none", '{ resource.service.name = "frontend" } >> { duration > 1h }'),
)
METRICS = (
    ("rate", "{ } | rate()"),
    ("rate_by_service", "{ } | rate() by (resource.service.name)"),
    ("errors_by_name", "{ status = error } | count_over_time() by (name)"),
    ("quantiles_by_service", "{ } | quantile_over_time(duration, .5, .9, .99) by (resource.service.name)"),
    ("average", "{ kind = server } | avg_over_time(duration)"),
)


def main() -> None:
    """Prints a line of JSON for each figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--spans", type=int, default=1_000_000, help="how many spans are stored")
    arguments.add_argument("--seconds", type=float, default=15.0, help="how long the live load lasts; 0 leaves it out")
    arguments.add_argument("--queries", type=float, default=25.0, help="queries per second of the live load")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        generate_traces(TraceSettings(profile="medium", traces=2000, traces_per_request=20), Path(scratch, "medium"))
        template = Path(scratch, "medium-traces.pb")
        stored(Template.open(template), options.spans, Path(scratch, "stored"))
        if options.seconds:
            live(template, options.seconds, options.queries, Path(scratch, "live"))


def say(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"name": f"query_{name}", "value": round(value, 3), "unit": unit, **more}), flush=True)


def stored(template: Template, spans: int, root: Path) -> None:
    """Blocks of a quarter million spans, and newer segments of a second each."""
    folder = fill(template, spans, root)
    for name, text in [*((one.name, one.traceql) for one in QUERIES), *SEARCHES]:
        asked = search_parameters({"q": text}, time.time_ns())
        cold_and_warm(folder, f"search_{name}", partial(search, asked))
    now = time.time_ns()
    for name, text in METRICS:
        wanted = {"q": text, "start": str(now // 1_000_000_000 - 300), "end": str(now // 1_000_000_000), "step": "5s"}
        series = metrics_parameters(wanted, now)
        cold_and_warm(folder, f"metrics_{name}", partial(metrics, series))
    traces(folder)


def search(asked: SearchParameters, querier: Querier) -> int:
    return len(cast("list[object]", querier.search(asked, still)["traces"]))


def metrics(asked: MetricsParameters, querier: Querier) -> int:
    return len(cast("list[object]", querier.metrics_range(asked, still)["series"]))


def still() -> None:
    """Somebody waits for the answer."""


def fill(template: Template, spans: int, root: Path) -> DataFolder:
    folder = DataFolder(root)
    folder.create()
    manifest = Manifest()
    sizes = [250_000] * max(1, (spans - SEGMENTS * RATE) // 250_000) + [RATE] * SEGMENTS
    clock = time.time_ns() - int(sum(sizes) / RATE * 1e9)
    requests = timed_requests(template, clock)
    for size in sizes:
        taken, count = [], 0
        while count < size:
            body, items = next(requests)
            taken.append(body)
            count += items
        tables, identity = decode(taken), uuid.uuid4().hex
        block = size > RATE
        written = (
            write_block(tables, folder.block(identity)) if block else write_segment(tables, folder.segment(identity))
        )
        info = unit_info(identity, UnitKind.BLOCK if block else UnitKind.SEGMENT, tables, written)
        manifest = manifest.published(info, LogPosition(1, 0))
    write_manifest(manifest, folder.manifest)
    say("stored", sum(unit.spans for unit in manifest.units), "spans", units=len(manifest.units))
    return folder


def timed_requests(template: Template, clock: int) -> Iterator[tuple[bytes, int]]:
    number = 0
    while True:
        items = int(template.requests.items[number % len(template)])
        yield sent_request(template, SEED, number, clock), items
        number += 1
        clock += int(items / RATE * 1e9)


def cold_and_warm(folder: DataFolder, name: str, ask: Callable[[Querier], int]) -> None:
    querier = Querier(Store(folder.root).snapshot)
    querier.refresh()
    took = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        results = ask(querier)
        took.append((time.perf_counter() - started) * 1000)
    say(name, float(np.median(took[1:])), "ms", cold_ms=round(took[0], 1), results=results)


def traces(folder: DataFolder) -> None:
    """Traces by ID, drawn evenly from all that are stored."""
    querier = Querier(Store(folder.root).snapshot)
    querier.refresh()
    draw = random.Random(SEED)  # noqa: S311 - a sample, no secret
    took = []
    units = Store(folder.root).snapshot()
    for unit in draw.choices(units, weights=[unit.info.traces for unit in units], k=100):
        (row,) = unit.slice("traces", draw.randrange(unit.info.traces), 1).to_pylist()
        high, low = row["trace_hi"], row["trace_lo"]
        started = time.perf_counter()
        querier.trace(high << 64 | low)
        took.append((time.perf_counter() - started) * 1000)
    say("trace_by_id_p50", float(np.quantile(took, 0.5)), "ms")
    say("trace_by_id_p99", float(np.quantile(took, 0.99)), "ms")


def live(template: Path, seconds: float, rate: float, root: Path) -> None:
    backend = Backend(ServeSettings(root, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"))
    backend.start()
    try:
        replay = Replay(sending(template, seconds, backend, root))
        load = QueryLoad(asking(seconds, rate, backend, root))
        querier = psutil.Process(backend.processes()["querier"])
        replay.start()
        load.start()
        before = querier.cpu_times()
        while not load.progress().done:
            time.sleep(0.1)
        after = querier.cpu_times()
        rows = read_ledger(load.join(), QUERY_ROWS)
        replay.join()
    finally:
        backend.stop()
    took = (
        rows.filter(pl.col("outcome") == "succeeded").select((pl.col("ended_ns") - pl.col("due_ns")) / 1e6).to_series()
    )
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        say(f"live_{name}", float(took.quantile(share) or 0), "ms", queries=len(took), spans_per_s=RATE)
    say("live_cpu", (after.user + after.system - before.user - before.system) / seconds, "cores of the querier")


def sending(template: Path, seconds: float, backend: Backend, root: Path) -> SendSettings:
    per_request = float(np.mean(Template.open(template).requests.items))
    return SendSettings(
        endpoint=backend.addresses.otlp_grpc,
        template=template,
        seed=SEED,
        schedule=ConstantRate(RATE / per_request),
        duration_s=seconds,
        vus_min=4,
        vus_max=64,
        ledger=root / "sends.parquet",
    )


def asking(seconds: float, rate: float, backend: Backend, root: Path) -> QuerySettings:
    queries, buckets, plan = built_in_mix(seconds)
    return QuerySettings(
        base_url=f"http://{backend.addresses.http}",
        queries=queries,
        buckets=buckets,
        plan=plan,
        pace=ConstantRate(rate),
        vus_min=2,
        vus_max=32,
        limit=20,
        click_probability=0.1,
        seed=SEED,
        duration_s=seconds,
        ledger=root / "queries.parquet",
    )


if __name__ == "__main__":
    main()
