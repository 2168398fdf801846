"""What one sending process replays into a sink on the same machine, and how punctual it is.

Requests have fresh IDs and times; the ledger is written. CPU is that of the sender and of the sink, in cores.
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
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.send.sink import Sink
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.template import Template

SECONDS = 4.0


@dataclass(frozen=True)
class Measured:
    rows: pl.DataFrame
    spans_per_request: float
    sender_cores: float
    sink_cores: float


def replay(template: Path, schedule: Schedule | None, vus: int, folder: Path) -> Measured:
    """One sender, one sink."""
    with Sink() as sink:
        sending = Replay(
            SendSettings(
                endpoint=sink.address,
                template=template,
                seed=1,
                schedule=schedule,
                duration_s=SECONDS,
                vus_min=vus,
                vus_max=vus,
                ledger=folder / "sends.parquet",
            )
        )
        sending.start()
        processes = [psutil.Process(pid) for pid in (*sending.pids(), *sink.pids())]
        before = [cpu_seconds(process) for process in processes]
        began = time.perf_counter()
        time.sleep(SECONDS - 0.2)
        sender, sink_cores = (
            (cpu_seconds(process) - start) / (time.perf_counter() - began)
            for process, start in zip(processes, before, strict=True)
        )
        rows = read_ledger(sending.join(), SENDS).filter(pl.col("outcome") == "acknowledged")
    return Measured(rows, float(rows["items"].cast(pl.Float64).mean() or 0.0), sender, sink_cores)  # type: ignore[arg-type]


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


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


def measure_throughput(name: str, settings: TraceSettings, folder: Path) -> None:
    """As fast as it goes."""
    prefix = folder / name
    generate_traces(settings, prefix)
    template = prefix.with_name(f"{name}-traces.pb")
    measured = replay(template, None, vus_to_saturate(Template.open(template)), folder)
    say(f"{name}_spans", float(measured.rows["items"].cast(pl.Int64).sum()) / SECONDS, "spans/s", measured)
    say(f"{name}_requests", measured.rows.height / SECONDS, "requests/s", measured)
    say(f"{name}_bytes", float(measured.rows["bytes"].cast(pl.Int64).sum()) / SECONDS / 1e6, "MB/s", measured)


def measure_lateness(name: str, per_second: float, settings: TraceSettings, folder: Path) -> None:
    """When requests start, beside when they are due."""
    prefix = folder / name
    generate_traces(settings, prefix)
    measured = replay(prefix.with_name(f"{name}-traces.pb"), ConstantRate(per_second), 100, folder)
    late_ms = (measured.rows["started_ns"] - measured.rows["due_ns"]) / 1e6
    for part in (0.5, 0.99, 0.999):
        say(f"{name}_late_p{part * 100:g}", float(late_ms.quantile(part) or 0.0), "ms", measured)


def main() -> None:
    with TemporaryDirectory(prefix="vivace-bench-") as name:
        folder = Path(name)
        measure_throughput("send_large", TraceSettings(profile="medium", traces=3000, traces_per_request=150), folder)
        measure_throughput("send_small", TraceSettings(profile="small", traces=4000, traces_per_request=2), folder)
        measure_lateness(
            "send_500_per_s", 500.0, TraceSettings(profile="medium", traces=2000, traces_per_request=20), folder
        )


if __name__ == "__main__":
    main()
