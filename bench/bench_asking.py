"""What it costs to ask: queries per second of one process, its own share of a response, its pace, its use of a core.

The target is a trivial server in a process of its own, which answers everything with the same traces.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import polars as pl
import psutil

from vivace.ledger import QUERIES, read_ledger
from vivace.pace import ConstantRate, Schedule
from vivace.query.bucket import TimeBucket
from vivace.query.limiter import Limiter
from vivace.query.load import QueryLoad
from vivace.query.plan import NamedQuery, PlanEntry
from vivace.query.settings import QuerySettings

QUERY_NAMES = ("service", "errors", "slow")
SETTLE_S = 1.5
"""After its start a process takes so long until it uses its core evenly."""


def main() -> None:
    """Prints a line of JSON for each figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=6.0, help="how long each load lasts")
    seconds = arguments.parse_args().seconds
    with trivial_server() as url, tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder, "queries.parquet")
        for rate in (2_000, 3_000, 4_000):
            throughput(url, ledger, seconds, rate)
        pace(url, ledger, seconds)
        workers(url, ledger, seconds)
        order(url, ledger)


def say(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"name": f"asking_{name}", "value": round(value, 4), "unit": unit, **more}), flush=True)


def throughput(url: str, ledger: Path, seconds: float, rate: int) -> None:
    """Answers per second at a rate, what the process used of a core, and how much of a response is its own."""
    rows, cores = asked(settings(url, ledger, seconds, ConstantRate(rate)))
    answered = rows.filter(pl.col("outcome") == "succeeded")
    lasted = float(answered.select((pl.col("ended_ns").max() - pl.col("due_ns").min()) / 1e9).item())
    response = (answered["ended_ns"] - answered["due_ns"]) / 1e6
    say("queries_per_s", answered.height / lasted, "queries/s", offered=rate, cores=round(cores, 3))
    say("response_p50", float(response.quantile(0.5) or 0), "ms from when due", offered=rate)
    say("response_p99", float(response.quantile(0.99) or 0), "ms from when due", offered=rate)
    say("queries_per_core_second", answered.height / lasted / cores, "queries/s per core", offered=rate)


def pace(url: str, ledger: Path, seconds: float) -> None:
    """How near the rate of starts comes to the one that was asked for."""
    rows, _ = asked(settings(url, ledger, seconds, ConstantRate(500)))
    started = rows.filter(pl.col("kind") == "search")["started_ns"].drop_nulls().sort()
    rate = (started.len() - 1) / ((started[-1] - started[0]) / 1e9)
    say("pace_error", abs(rate / 500 - 1) * 100, "% of 500 queries/s", started=started.len())


def workers(url: str, ledger: Path, seconds: float) -> None:
    """Many workers who ask seldom."""
    rows, cores = asked(settings(url, ledger, max(seconds, 10.0), Limiter(50, 200)))
    say("workers_cores", cores * 100, "% of a core, 200 workers at 50 queries/s", queries=rows.height)


def order(url: str, ledger: Path) -> None:
    """Share of questions that are the same in a second load with the same seed."""
    first, second = (
        asked(settings(url, ledger, 2.0, ConstantRate(200)))[0]
        .filter(pl.col("kind") == "search")
        .sort("query")
        .select("query", "name", "bucket")
        for _ in range(2)
    )
    same = first.equals(second)
    say("same_order", float(same), "1: same seed, same questions in the same order", queries=first.height)


def settings(url: str, ledger: Path, seconds: float, pace: Schedule | Limiter) -> QuerySettings:
    return QuerySettings(
        base_url=url,
        queries=tuple(NamedQuery(name, '{ resource.service.name = "shop" }') for name in QUERY_NAMES),
        buckets=(TimeBucket("recent", 0, 60, 3), TimeBucket("old", 60, 600, 1)),
        plan=tuple(PlanEntry(name, bucket) for name in QUERY_NAMES for bucket in ("recent", "old")),
        pace=pace,
        vus_min=10,
        vus_max=500,
        seed=7,
        elapsed_s=600,
        duration_s=seconds,
        ledger=ledger,
    )


def asked(load_settings: QuerySettings) -> tuple[pl.DataFrame, float]:
    """The ledger, and the cores that the asking process used once it was under way."""
    load = QueryLoad(load_settings)
    load.start()
    process = psutil.Process(load.pids()[0])
    time.sleep(SETTLE_S)
    before, begun = process.cpu_times(), time.monotonic()
    time.sleep(max(0.2, load_settings.duration_s - SETTLE_S - 0.5))
    after, ended = process.cpu_times(), time.monotonic()
    rows = read_ledger(load.join(), QUERIES)
    used = after.user + after.system - before.user - before.system
    return rows, used / (ended - begun)


@contextmanager
def trivial_server() -> Iterator[str]:
    """The URL of a server that answers at once."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


def serve(parent: Connection) -> None:
    asyncio.run(_serve(parent))


async def _serve(parent: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(Trivial, "127.0.0.1", 0)
    parent.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class Trivial(asyncio.Protocol):
    """Five traces without times, whatever is asked."""

    BODY = json.dumps(
        {
            "traces": [
                {
                    "traceID": f"{number:032x}",
                    "rootServiceName": "shop",
                    "rootTraceName": "GET /",
                    "spanSets": [{"matched": 2, "spans": [{"spanID": "00000000000000a1"}, {"spanID": "a2"}]}],
                }
                for number in range(1, 6)
            ],
            "metrics": {"inspectedSpans": "1000"},
        }
    ).encode()
    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.write(self.ANSWER * data.count(b"\r\n\r\n"))


if __name__ == "__main__":
    main()
