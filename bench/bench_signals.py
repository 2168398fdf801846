"""How fast templates of metrics and logs are made, indexed, turned into requests and sent, as JSON lines.

Making, indexing and patching are per processor second of one core; sending is by one worker into a sink, by the clock.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Final

from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.send.sink import Sink
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.items import build_items
from vivace.telemetry.logs.generate import generate_logs
from vivace.telemetry.logs.settings import LogsSettings
from vivace.telemetry.metrics.generate import generate_metrics
from vivace.telemetry.metrics.settings import MetricsSettings
from vivace.telemetry.patch import Patcher
from vivace.telemetry.template import Signal, Template

METRICS: Final = 1000
RECORDS: Final = 200_000
TRACES: Final = 20_000
REPEATS: Final = 3
PATCHED_REQUESTS: Final = 300
SECONDS: Final = 4.0
NOUNS: Final = {Signal.METRICS: "points", Signal.LOGS: "records"}


def report(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"name": name, "value": round(value, 2), "unit": unit, **more}), flush=True)


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Processor seconds of the fastest of some runs."""
    return min(_once(work) for _ in range(repeats))


def _once(work: Callable[[], object]) -> float:
    started = process_time()
    work()
    return process_time() - started


def bench(signal: Signal, path: Path, generate: Callable[[], object]) -> None:
    noun = NOUNS[signal]
    made = seconds(generate)
    template = Template.open(path)
    items = int(template.requests.items.sum())
    report(f"generate_{signal}", items / made, f"{noun}/s/core", items=items)
    report(f"{signal}_bytes", template.payload.size / items, f"B/{noun[:-1]}")
    indexing = seconds(lambda: build_items(template.payload, path.name, signal))
    report(f"index_{signal}", items / indexing, f"{noun}/s/core")
    patcher = Patcher(template, seed=1)
    requests = range(PATCHED_REQUESTS)
    patching = seconds(lambda: [patcher.patch(number, 10**18) for number in requests])
    patched = sum(int(template.requests.items[number % len(template)]) for number in requests)
    report(f"patch_{signal}", patched / patching, f"{noun}/s/core")


def bench_sending(signal: Signal, path: Path) -> None:
    sink = Sink()
    try:
        settings = SendSettings(
            endpoint=sink.start(),
            template=path,
            seed=1,
            schedule=None,
            duration_s=SECONDS,
            vus_min=8,
            vus_max=8,
            ledger=path.with_suffix(".parquet"),
        )
        replay = Replay(settings)
        replay.start()
        replay.join()
        sent = replay.progress()
    finally:
        sink.stop()
    report(f"send_{signal}", sent.acknowledged_spans / SECONDS, f"{NOUNS[signal]}/s", workers=1)
    report(f"send_{signal}_bytes", sent.sent_bytes / SECONDS / 1e6, "MB/s", workers=1)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "x"
        generate_traces(TraceSettings(profile="small", traces=TRACES), prefix)
        traces = prefix.with_name("x-traces.pb")
        metrics, logs = MetricsSettings(metric_count=METRICS), LogsSettings(count=RECORDS)
        makers: dict[Signal, Callable[[], object]] = {
            Signal.METRICS: lambda: generate_metrics(metrics, prefix, traces=traces),
            Signal.LOGS: lambda: generate_logs(logs, prefix, traces=traces),
        }
        for signal, generate in makers.items():
            path = prefix.with_name(f"x-{signal}.pb")
            bench(signal, path, generate)
            bench_sending(signal, path)


if __name__ == "__main__":
    main()
