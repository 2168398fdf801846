"""What sending processes replay into a sink on the same machine, and how punctual they are.

Requests have fresh IDs and times; the ledger is written. CPU is that of all senders and of all sinks, in cores.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import psutil

from vivace.ledger import SENDS, read_ledger
from vivace.pace import ConstantRate, Schedule
from vivace.send.calibrate import vus_to_saturate
from vivace.send.cut import Batching, Per, open_cut
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.send.sink import Sink, SinkSettings
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.generators import Attributes, SpanGenerator
from vivace.telemetry.settings import Sizes

SECONDS = 4.0
FRESH_VALUES = 8


@dataclass(frozen=True)
class Measured:
    rows: pl.DataFrame
    spans_per_request: float
    sender_cores: float
    sink_cores: float


def replay(
    template: Path,
    schedule: Schedule | None,
    vus: int,
    folder: Path,
    *,
    workers: int = 1,
    batching: Batching | None = None,
) -> Measured:
    """As many sinks as senders."""
    with Sink(SinkSettings(processes=workers)) as sink:
        sending = Replay(
            SendSettings(
                endpoint=sink.address,
                template=template,
                batching=batching,
                seed=1,
                schedule=schedule,
                duration_s=SECONDS,
                vus_min=vus * workers,
                vus_max=vus * workers,
                workers=workers,
                ledger=folder / "sends.parquet",
            )
        )
        sending.start()
        sides = [[psutil.Process(pid) for pid in pids] for pids in (sending.pids(), sink.pids())]
        before = [cpu_seconds(side) for side in sides]
        began = time.perf_counter()
        time.sleep(SECONDS - 0.2)
        sender, sink_cores = (
            (cpu_seconds(side) - start) / (time.perf_counter() - began)
            for side, start in zip(sides, before, strict=True)
        )
        rows = read_ledger(sending.join(), SENDS).filter(pl.col("outcome") == "acknowledged")
    return Measured(rows, float(rows["items"].cast(pl.Float64).mean() or 0.0), sender, sink_cores)  # type: ignore[arg-type]


def cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(float(times.user + times.system) for times in (process.cpu_times() for process in processes))


def say(name: str, value: float, unit: str, measured: Measured) -> None:
    line = {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "spans_per_request": round(measured.spans_per_request, 1),
        "sender_cores": round(measured.sender_cores, 2),
        "sink_cores": round(measured.sink_cores, 2),
    }
    print(json.dumps(line))


def measure_throughput(
    name: str, settings: TraceSettings, folder: Path, workers: int = 1, batching: Batching | None = None
) -> None:
    """As fast as it goes."""
    prefix = folder / name
    generate_traces(settings, prefix)
    template = prefix.with_name(f"{name}-traces.pb")
    vus = vus_to_saturate(open_cut(template, batching))
    measured = replay(template, None, vus, folder, workers=workers, batching=batching)
    spans = float(measured.rows["items"].sum()) / SECONDS
    say(f"{name}_spans", spans, "spans/s", measured)
    say(f"{name}_spans_per_core", spans / measured.sender_cores, "spans/s/core", measured)
    say(f"{name}_requests", measured.rows.height / SECONDS, "requests/s", measured)
    say(f"{name}_bytes", float(measured.rows["bytes"].sum()) / SECONDS / 1e6, "MB/s", measured)


def measure_lateness(name: str, per_second: float, settings: TraceSettings, folder: Path) -> None:
    """When requests start, beside when they are due."""
    prefix = folder / name
    generate_traces(settings, prefix)
    measured = replay(prefix.with_name(f"{name}-traces.pb"), ConstantRate(per_second), 100, folder)
    late_ms = (measured.rows["started_ns"] - measured.rows["due_ns"]) / 1e6
    for part in (0.5, 0.99, 0.999):
        say(f"{name}_late_p{part * 100:g}", float(late_ms.quantile(part) or 0.0), "ms", measured)
    measure_rate(name, measured, per_second)


def measure_rate(name: str, measured: Measured, per_second: float) -> None:
    """How far the achieved rate is from the schedule's."""
    started = measured.rows["started_ns"].sort()
    seconds = float(started[-1] - started[0]) / 1e9
    say(f"{name}_rate_error", abs((started.len() - 1) / seconds / per_second - 1) * 100, "%", measured)


def main() -> None:
    large = TraceSettings(profile="medium", traces=3000, traces_per_request=150)
    fresh = {f"app.fresh.{number}": SpanGenerator(fresh=8) for number in range(FRESH_VALUES)}
    with TemporaryDirectory(prefix="vivace-bench-") as name:
        folder = Path(name)
        measure_throughput("send_large", large, folder)
        measure_throughput("send_two_workers", large, folder, workers=2)
        measure_throughput("send_fresh", large.model_copy(update={"attributes": Attributes(span=fresh)}), folder)
        measure_throughput("send_small", TraceSettings(profile="small", traces=4000, traces_per_request=2), folder)
        measure_throughput(
            "send_by_service",
            TraceSettings(normal=Sizes.normal(200, 20), traces=1000, traces_per_request=1),
            folder,
            batching=Batching(Per.SERVICE),
        )
        measure_lateness("send_500_per_s", 500.0, TraceSettings(traces=2000, traces_per_request=20), folder)
        measure_lateness("send_500_small_per_s", 500.0, TraceSettings(traces=4000, traces_per_request=1), folder)


if __name__ == "__main__":
    main()
