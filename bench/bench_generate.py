"""How fast templates are made, scanned and turned into requests, on one core: JSON lines {"name", "value", "unit"}."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Final

from vivace.profile.model import TraceProfile
from vivace.telemetry.generate import SPANS, TraceSettings, generate_traces, write_traces
from vivace.telemetry.generators import Attributes, SpanGenerator
from vivace.telemetry.patch import Patcher
from vivace.telemetry.places import build
from vivace.telemetry.template import Template
from vivace.telemetry.wire import TRACES, scan

GENERATED_SPANS: Final = 260_000
REPEATS: Final = 5
PATCHED_REQUESTS: Final = 500
FRESH_VALUES: Final = 8
LARGE_TRACES: Final = 30_000
"""About a third of a gigabyte."""


def report(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"name": name, "value": round(value, 2), "unit": unit, **more}), flush=True)


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Processor seconds of the fastest of some runs."""
    return min(_once(work) for _ in range(repeats))


def _once(work: Callable[[], object]) -> float:
    started = process_time()
    work()
    return process_time() - started


def _patch(patcher: Patcher, requests: int = PATCHED_REQUESTS) -> None:
    for number in range(requests):
        patcher.patch(number, 10**18)


def bench(profile: TraceProfile, folder: Path) -> None:
    traces = 2 * GENERATED_SPANS // sum(SPANS[profile])
    settings = TraceSettings(profile=profile, traces=traces, traces_per_request=20)
    took = seconds(lambda: generate_traces(settings, folder / profile), repeats=2)
    metadata = generate_traces(settings, folder / profile)
    template = Template.open(folder / metadata.template)
    spans = metadata.spans
    report("generate", spans / took, "spans/s/core", profile=profile, spans=spans)
    report("bytes_per_span", metadata.bytes_per_span, "B", profile=profile)
    report("gzip_ratio", metadata.gzip_ratio, "x", profile=profile)
    report("index_bytes_per_span", (template.bytes_in_memory - metadata.bytes) / spans, "B", profile=profile)
    scanning = seconds(lambda: scan(template.payload, TRACES, metadata.template))
    report("scan", spans / scanning, "spans/s/core", profile=profile)
    building = seconds(lambda: build(template.payload, metadata.template))
    report("index", spans / building, "spans/s/core", profile=profile)
    patcher = Patcher(template, seed=1)
    patched = sum(int(template.requests.items[number % len(template)]) for number in range(PATCHED_REQUESTS))
    patching = seconds(lambda: _patch(patcher))
    report("patch", patched / patching, "spans/s/core", profile=profile)


def bench_fresh(folder: Path) -> None:
    """Requests of about 5,000 spans, each of which has values that no other request has."""
    fresh = {f"app.fresh.{number}": SpanGenerator(fresh=8) for number in range(FRESH_VALUES)}
    settings = TraceSettings(traces=3000, traces_per_request=150, attributes=Attributes(span=fresh))
    took = seconds(lambda: generate_traces(settings, folder / "fresh"), repeats=2)
    metadata = generate_traces(settings, folder / "fresh")
    template = Template.open(folder / metadata.template)
    report("generate_fresh", metadata.spans / took, "spans/s/core", values_per_span=FRESH_VALUES)
    report("bytes_per_span_fresh", metadata.bytes_per_span, "B", values_per_span=FRESH_VALUES)
    patcher, requests = Patcher(template, seed=1), 3 * len(template)
    patching = seconds(lambda: _patch(patcher, requests))
    report("patch_fresh", 3 * metadata.spans / patching, "spans/s/core", values_per_span=FRESH_VALUES)


def bench_memory(folder: Path) -> None:
    """A template that is made in a process of its own: it needs as much memory as a batch, not as the file."""
    subprocess.run([sys.executable, __file__, str(folder / "large")], check=True)


def make_large(prefix: Path) -> None:
    metadata = write_traces(TraceSettings(traces=LARGE_TRACES), prefix)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    report("generate_peak_memory", peak, "MB", template_megabytes=round(metadata.bytes / 1e6))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for profile in SPANS:
            bench(profile, Path(folder))
        bench_fresh(Path(folder))
        bench_memory(Path(folder))


if __name__ == "__main__":
    make_large(Path(sys.argv[1])) if sys.argv[1:] else main()
