"""What compaction takes and gives: spans per second, CPU per million spans, memory, fewer blocks, and faster answers.

Two stores are compacted until nothing is left to do, each by a process of its own, as that of the backend works: one
of an hour at a trickle, a block every 30 s, and one of blocks as they are cut under load.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.backend.compact.merging import compact
from vivace.backend.compact.plan import next_job
from vivace.backend.query.parameters import metrics_parameters, search_parameters
from vivace.backend.query.querier import Querier
from vivace.backend.store.block import write_block
from vivace.backend.store.decode import decode
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import Manifest, read_manifest, write_manifest
from vivace.backend.store.storage.local import LocalStorage
from vivace.backend.store.store import Store
from vivace.backend.store.unit import UnitInfo, UnitKind, unit_info
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Template

SEED: Final = 7
HOUR_NS: Final = 3600 * 10**9
REPEATS: Final = 7
SEARCH: Final = '{ resource.service.name = "frontend" && status = error }'
SERIES: Final = "{ } | rate() by (resource.service.name)"


@dataclass(frozen=True, slots=True)
class Work:
    """What a process did to compact a store."""

    jobs: int
    rewritten: int
    seconds: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    """Prints a line of JSON for each figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--blocks", type=int, default=8, help="blocks of half a million spans")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        generate_traces(TraceSettings(profile="medium", traces=2000, traces_per_request=20), Path(scratch, "medium"))
        template = Template.open(Path(scratch, "medium-traces.pb"))
        measure("trickle", template, [600] * 120, 20, Path(scratch, "trickle"))
        measure("load", template, [500_000] * options.blocks, 20_000, Path(scratch, "load"))


def say(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"name": f"compact_{name}", "value": round(value, 3), "unit": unit, **more}), flush=True)


def measure(name: str, template: Template, sizes: list[int], rate: float, root: Path) -> None:
    """Blocks of so many spans, at so many a second, in an hour that has ended."""
    folder, start = fill(template, sizes, rate, root)
    asked = {"search": search(start), "metrics": metrics(start)}
    before = {kind: answered(folder, ask) for kind, ask in asked.items()}
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        work = process.submit(settle, root).result()
    units = read_manifest(folder.manifest).units
    spans = sum(unit.spans for unit in units)
    say(f"{name}_blocks", len(units), "blocks", before=len(sizes), jobs=work.jobs, spans=spans)
    say(f"{name}_rewritten", work.rewritten / spans, "times each span")
    say(f"{name}_speed", work.rewritten / work.seconds, "spans/s")
    say(f"{name}_cpu", work.cpu_s / work.rewritten * 1e6, "CPU s per million spans")
    say(f"{name}_memory", work.peak_mb, "MB resident at most")
    say(f"{name}_disk", sum(unit.bytes for unit in units) / spans, "bytes per span")
    for kind, ask in asked.items():
        cold, warm = answered(folder, ask)
        say(f"{name}_{kind}", warm, "ms", before=before[kind][1], cold=cold, cold_before=before[kind][0])


def fill(template: Template, sizes: list[int], rate: float, root: Path) -> tuple[DataFolder, int]:
    """The folder, and when the hour of its spans began."""
    folder = DataFolder(root)
    folder.create()
    start = (time.time_ns() // HOUR_NS - 2) * HOUR_NS
    requests = timed_requests(template, start, rate)
    units = tuple(cut(folder, requests, size) for size in sizes)
    write_manifest(Manifest(units=units), folder.manifest)
    return folder, start


def timed_requests(template: Template, clock: int, rate: float) -> Iterator[tuple[bytes, int]]:
    for number in count():
        items = int(template.requests.items[number % len(template)])
        yield sent_request(template, SEED, number, clock), items
        clock += int(items / rate * 1e9)


def cut(folder: DataFolder, requests: Iterator[tuple[bytes, int]], size: int) -> UnitInfo:
    taken, held = [], 0
    while held < size:
        body, items = next(requests)
        taken.append(body)
        held += items
    tables, identity = decode(taken), uuid.uuid4().hex
    return unit_info(identity, UnitKind.BLOCK, tables, write_block(tables, folder.block(identity)))


def settle(root: Path) -> Work:
    """Compacts until nothing is left to do; runs in a process of its own, and takes the indexer's part as well."""
    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())
    folder = DataFolder(root)
    storage = LocalStorage(folder)
    jobs = rewritten = 0
    started, before = time.perf_counter(), time.process_time()
    while job := next_job(read_manifest(folder.manifest).units, time.time_ns()):
        identity = uuid.uuid4().hex
        unit = compact(job, storage, folder.block(identity))
        replaced = {one.id for one in job.inputs}
        write_manifest(read_manifest(folder.manifest).replaced(replaced, (unit,)), folder.manifest)
        jobs += 1
        rewritten += unit.spans
        gc.collect()
        pa.default_memory_pool().release_unused()
    took, used = time.perf_counter() - started, time.process_time() - before
    return Work(jobs, rewritten, took, used, most_resident() / 1e6)


def most_resident() -> int:
    """Bytes; getrusage would count what the process that started this one had."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def search(start: int) -> Callable[[Querier], object]:
    window = {"start": str(start // 10**9), "end": str((start + HOUR_NS) // 10**9)}
    asked = search_parameters({"q": SEARCH, **window}, time.time_ns())
    return lambda querier: querier.search(asked, still)


def metrics(start: int) -> Callable[[Querier], object]:
    window = {"start": str(start // 10**9), "end": str((start + HOUR_NS) // 10**9), "step": "30s"}
    asked = metrics_parameters({"q": SERIES, **window}, time.time_ns())
    return lambda querier: querier.metrics_range(asked, still)


def still() -> None:
    """Somebody waits for the answer."""


def answered(folder: DataFolder, ask: Callable[[Querier], object]) -> tuple[float, float]:
    """How many ms a fresh querier takes, and the median of later times."""
    querier = Querier(Store(folder.root).snapshot)
    querier.refresh()
    first, *later = [elapsed(partial(ask, querier)) for _ in range(1 + REPEATS)]
    querier.close()
    return round(first, 1), round(float(np.median(later)), 2)


def elapsed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
