"""What the embedded backend takes in large and in small requests: durable spans per second, CPU per million spans,
memory, disk per span; and the time until spans are visible.

Everything runs on this machine: the sender's processes compete with the backend's for its cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from vivace.backend.serve.supervisor import Backend, ServeSettings
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.unit import UnitKind
from vivace.ledger import SENDS, read_ledger
from vivace.pace import ConstantRate
from vivace.send.board import Acknowledged
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.identity import trace_ids
from vivace.telemetry.template import Template

SEED = 7
PATIENCE_S = 60.0
STEADY_SPANS_PER_S = 20_000
STEADY_WORKERS = 4
"""Of each worker a request every half second is looked for."""


def main() -> None:
    """Prints a line of JSON for each figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=10.0, help="how long each of the loads lasts")
    arguments.add_argument("--workers", type=int, default=1, help="sending processes")
    arguments.add_argument("--vus", type=int, default=16, help="requests in flight when sending as fast as possible")
    arguments.add_argument("--small-vus", type=int, default=64, help="the same, for requests of about 25 spans")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        large = Path(scratch, "medium-traces.pb")
        generate_traces(TraceSettings(profile="medium", traces=4000, traces_per_request=155), large.with_name("medium"))
        small = Path(scratch, "small-traces.pb")
        generate_traces(TraceSettings(profile="small", traces=4000, traces_per_request=2), small.with_name("small"))
        most("", large, options.seconds, options.workers, options.vus)
        most("small_", small, options.seconds, options.workers, options.small_vus)
        steady(small, options.seconds)


def say(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"name": f"ingest_{name}", "value": round(value, 3), "unit": unit, **more}), flush=True)


@contextmanager
def backend() -> Iterator[tuple[Backend, DataFolder]]:
    with tempfile.TemporaryDirectory() as folder:
        one = Backend(ServeSettings(Path(folder), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"))
        one.start()
        try:
            yield one, DataFolder(Path(folder))
        finally:
            one.stop()


def most(name: str, template: Path, seconds: float, workers: int, vus: int) -> None:
    """As fast as it goes."""
    resident = 0.0
    with backend() as (one, folder):
        before = cpu_seconds(one)
        replay = Replay(
            SendSettings(
                endpoint=one.addresses.otlp_grpc,
                template=template,
                seed=SEED,
                schedule=None,
                duration_s=seconds,
                vus_min=vus,
                vus_max=vus,
                workers=workers,
                ledger=folder.root / "sends.parquet",
            )
        )
        replay.start()
        while not replay.progress().done:
            resident = max(resident, resident_bytes(one))
            time.sleep(0.1)
        ledger = read_ledger(replay.join(), SENDS)
        taken = ledger.filter(pl.col("outcome") == "acknowledged")
        spans = int(taken["items"].sum())
        per_request = round(spans / max(1, taken.height))
        pushed_back = ledger.filter(pl.col("outcome") == "failed").height
        say(
            f"{name}durable",
            spans / seconds,
            "spans/s",
            mb_per_s=round(int(taken["bytes"].sum()) / seconds / 1e6, 1),
            spans_per_request=per_request,
        )
        say(f"{name}pushed_back", pushed_back / max(1, ledger.height), "share of requests")
        started = time.monotonic()
        wait_until_indexed(folder, spans)
        say(f"{name}catch_up", time.monotonic() - started, "s after the last acknowledgement")
        for _ in range(20):  # a block may still be written
            resident = max(resident, resident_bytes(one))
            time.sleep(0.1)
        say(f"{name}resident", resident / 1e6, "MB in all processes at most")
        manifest = read_manifest(folder.manifest)
        used = {role: seconds - before[role] for role, seconds in cpu_seconds(one).items()}
        roles = {role: round(value / spans * 1e6, 2) for role, value in used.items()}
        say(f"{name}cpu", sum(used.values()) / spans * 1e6, "CPU s per million spans", **roles)
        blocks = [unit for unit in manifest.units if unit.kind is UnitKind.BLOCK]
        if blocks:
            in_blocks = sum(unit.spans for unit in blocks)
            say(f"{name}disk", sum(unit.bytes for unit in blocks) / in_blocks, "bytes per span", spans=in_blocks)


def steady(template: Path, seconds: float) -> None:
    """At a steady rate: how long after its acknowledgement a trace can be fetched."""
    spans_per_request = float(np.mean(Template.open(template).requests.items))
    with backend() as (one, folder):
        replay = Replay(
            SendSettings(
                endpoint=one.addresses.otlp_grpc,
                template=template,
                seed=SEED,
                schedule=ConstantRate(STEADY_SPANS_PER_S / spans_per_request),
                duration_s=seconds,
                vus_min=4,
                vus_max=64,
                workers=STEADY_WORKERS,
                ledger=folder.root / "sends.parquet",
            )
        )
        replay.start()
        opened = Template.open(template)
        delays: list[float] = []
        while not replay.progress().done:
            delays += [visible_after(one.addresses.http, opened, sample) for sample in replay.acknowledged()]
            time.sleep(0.01)
        replay.join()
    delays.sort()
    say("visible_p50", float(np.quantile(delays, 0.5)), "s after the acknowledgement", samples=len(delays))
    say("visible_p99", float(np.quantile(delays, 0.99)), "s after the acknowledgement", samples=len(delays))
    say("visible_max", delays[-1], "s after the acknowledgement", spans_per_s=STEADY_SPANS_PER_S)


def visible_after(http: str, template: Template, sample: Acknowledged) -> float:
    trace = trace_ids(template, SEED, sample.number)[0].hex()
    while not found(f"http://{http}/api/traces/{trace}"):
        time.sleep(0.01)
    return max(0.0, (time.time_ns() - sample.acknowledged_ns) / 1e9)


def found(url: str) -> bool:
    try:
        with closing(urllib.request.urlopen(url, timeout=10)) as answer:  # noqa: S310 - http, on this machine
            return bool(answer.read())
    except urllib.error.HTTPError as error:
        error.close()
        return False


def cpu_seconds(one: Backend) -> Mapping[str, float]:
    times = {role: psutil.Process(pid).cpu_times() for role, pid in one.processes().items()}
    return {role: used.user + used.system for role, used in times.items()}


def resident_bytes(one: Backend) -> float:
    return float(sum(psutil.Process(pid).memory_info().rss for pid in one.processes().values()))


def wait_until_indexed(folder: DataFolder, spans: int) -> None:
    """Until all spans are visible."""
    deadline = time.monotonic() + PATIENCE_S
    while sum(unit.spans for unit in read_manifest(folder.manifest).units) < spans:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all spans were visible within {PATIENCE_S:g} s")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
