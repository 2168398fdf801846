"""What the embedded backend answers over many stored spans, with new ones coming in and without.

A started backend is asked over HTTP. A constant in every question is new each time, so that columns are warm and
answers are not. `first_ms` is what the slowest question of the first round took.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import tempfile
import time
import urllib.parse
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from vivace.backend.serve.supervisor import Backend, ServeSettings
from vivace.backend.store.block import write_block
from vivace.backend.store.decode import decode
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import LogPosition, Manifest, write_manifest
from vivace.backend.store.segment import write_segment
from vivace.backend.store.store import Store
from vivace.backend.store.unit import UnitInfo, UnitKind, unit_info
from vivace.pace import ConstantRate
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Template

SEED: Final = 7
RATE: Final = 20_000
"""Spans per second of the live load, and of the times in what is stored."""
BLOCK: Final = 1_250_000
"""Spans of a stored block, about as compaction leaves them."""
SEGMENTS: Final = 20
TRACES: Final = 100
"""Traces asked for by ID in a round."""
SEARCHES: Final = (
    '{ resource.service.name = "checkout" && duration > 1$us }',
    "{ status = error && duration > 1$us }",
    "{ duration > 100$us }",
    '{ span.http.route =~ "/products/.+" && duration > 1$us }',
    '{ resource.k8s.deployment.name = "cart" && kind = server && duration > 1$us }',
    '{ (span.db.system.name = "postgresql" || span.db.system.name = "mysql") && kind = client && duration > 5$us }',
    "{ .http.response.status_code >= 500 && duration > 1$us }",
    '{ span.rpc.response.status_code != "OK" && resource.telemetry.sdk.language = "go" && duration > 1$us }',
    '{ rootServiceName = "frontend" && traceDuration > 200$us }',
    '{ event:name = "exception" && duration > 1$us }',
)
NOTHING: Final = (
    '{ resource.service.name = "no-such-service-$" }',
    '{ span.user.id = "nobody-$" }',
    '{ span.url.full =~ ".*no-such-path-$.*" }',
    "{ nestedSetParent < 0 && duration > 1$h }",
    "{ status = error && duration > 1$h }",
)
STRUCTURAL: Final = (
    '{ resource.service.name = "frontend" } >> { status = error && duration > 1$us }',
    "{ kind = server } >> { status = error && kind = client && duration > 1$us }",
    "{ kind = server } > { kind = client && duration > 1$us }",
    "{ status = error } ~ { duration > 1$us }",
    "{ status = error && duration > 1$us } << { kind = server }",
    '{ resource.service.name = "frontend" } >> { duration > 1$h }',
)
AGGREGATE: Final = (
    "{ duration > 1$us } | count() > 30",
    "{ status = error && duration > 1$us } | by(resource.service.name) | count() > 2",
    "{ kind = server && duration > 1$us } | avg(duration) > 20ms",
    "{ span.http.response.status_code >= 200 } | max(duration) > 100$us",
)
WHOLE: Final = (
    "{ duration > $ns } | rate()",
    "{ status = error && duration > $ns } | count_over_time()",
    "{ kind = server && duration > $ns } | avg_over_time(duration)",
    "{ duration > $ns } | max_over_time(span.db.response.returned_rows)",
)
BY_LABEL: Final = (
    "{ duration > $ns } | rate() by (resource.service.name)",
    "{ status = error && duration > $ns } | count_over_time() by (name)",
    "{ duration > $ns } | rate() by (span.http.response.status_code)",
    "{ kind = server && duration > $ns } | avg_over_time(duration) by (resource.k8s.pod.name)",
)
QUANTILES: Final = ("{ duration > $ns } | quantile_over_time(duration, .5, .9, .99) by (resource.service.name)",)
KINDS: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "search": ("search", (*SEARCHES, *NOTHING)),
    "search_of_nothing": ("search", NOTHING),
    "structural": ("search", STRUCTURAL),
    "aggregate": ("search", AGGREGATE),
    "metrics_whole": ("metrics/query_range", WHOLE),
    "metrics_by_label": ("metrics/query_range", BY_LABEL),
    "metrics_quantiles": ("metrics/query_range", QUANTILES),
}
"""By kind the endpoint, and queries in which $ is a new number each time."""


@dataclass(slots=True)
class Asked:
    """What questions took, in milliseconds, and how many results they had, by kind."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    results: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


class Asking:
    """Asks a started backend over one connection."""

    def __init__(self, address: str, start_s: int, end_s: int, traces: Sequence[int]) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=120)
        self._window = {"start": start_s, "end": end_s, "step": "5s"}
        self._numbers = count(1)
        self._traces = traces
        self._draw = random.Random(SEED)  # noqa: S311 - a sample, no secret

    def round(self, into: Asked, until: float = float("inf")) -> None:
        """Each query of each kind once, and traces by ID; nothing more is asked after `until`."""
        for _ in range(TRACES):
            self._ask("trace_by_id", f"/api/traces/{self._draw.choice(self._traces):x}", into, until)
        for kind, (endpoint, texts) in KINDS.items():
            for text in texts:
                asked = {"q": text.replace("$", str(next(self._numbers)))}
                more = {"limit": 20} if endpoint == "search" else self._window
                self._ask(kind, f"/api/{endpoint}?{urllib.parse.urlencode(asked | more)}", into, until)

    def _ask(self, kind: str, path: str, into: Asked, until: float) -> None:
        started = time.perf_counter()
        if started >= until:
            return
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        body = response.read()
        into.took[kind].append((time.perf_counter() - started) * 1000)
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {body[:200]!r}")
        answer = json.loads(body)
        into.results[kind].append(sum(len(answer.get(name, ())) for name in ("traces", "series", "batches")))


def main() -> None:
    """Prints a line of JSON for each figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--spans", type=int, default=5_000_000, help="how many spans are stored")
    arguments.add_argument("--rounds", type=int, default=7, help="how often everything is asked without new spans")
    arguments.add_argument("--seconds", type=float, default=20.0, help="how long new spans come in; 0 leaves it out")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        generate_traces(TraceSettings(profile="medium", traces=2000, traces_per_request=20), Path(scratch, "medium"))
        template = Path(scratch, "medium-traces.pb")
        folder = fill(Template.open(template), options.spans, Path(scratch, "stored"))
        measure(folder, template, options.rounds, options.seconds)


def say(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"name": f"query_{name}", "value": round(value, 3), "unit": unit, **more}), flush=True)


def measure(folder: DataFolder, template: Path, rounds: int, seconds: float) -> None:
    traces = stored_traces(folder)
    start = min(unit.info.start_ns for unit in Store(folder.root).snapshot()) // 1_000_000_000
    backend = Backend(ServeSettings(folder.root, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"))
    started = time.perf_counter()
    backend.start()
    say("ready", time.perf_counter() - started, "s")
    try:
        asking = Asking(backend.addresses.http, start, int(time.time() + seconds + 600), traces)
        quiet = quiet_rounds(asking, rounds)
        memory(backend, "quiet")
        if seconds:
            live_rounds(asking, quiet, backend, template, seconds)
            memory(backend, "live")
    finally:
        backend.stop()


def quiet_rounds(asking: Asking, rounds: int) -> Asked:
    first, quiet = Asked(), Asked()
    asking.round(first)
    for _ in range(rounds):
        asking.round(quiet)
    for kind, took in quiet.took.items():
        figures(kind, took, first_ms=round(max(first.took[kind]), 1), results=float(np.mean(quiet.results[kind])))
    return quiet


def live_rounds(asking: Asking, quiet: Asked, backend: Backend, template: Path, seconds: float) -> None:
    """The same while new spans come in; the ratio is that of the medians."""
    replay = Replay(sending(template, seconds, backend, template.with_name("sends.parquet")))
    live = Asked()
    replay.start()
    until = time.perf_counter() + seconds
    time.sleep(1.0)
    while time.perf_counter() < until:
        asking.round(live, until)
    replay.join()
    for kind, took in live.took.items():
        ratio = float(np.median(took) / np.median(quiet.took[kind]))
        figures(f"live_{kind}", took, ratio=round(ratio, 2), spans_per_s=RATE)


def figures(name: str, took: Sequence[float], **more: object) -> None:
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        say(f"{name}_{label}", float(np.quantile(took, share)), "ms", asked=len(took), **more)


def memory(backend: Backend, when: str) -> None:
    sizes = {role: psutil.Process(pid).memory_info().rss / 1e6 for role, pid in backend.processes().items()}
    for role, size in sizes.items():
        say(f"{when}_resident_{role}", size, "MB")
    say(f"{when}_resident", sum(sizes.values()), "MB")


def stored_traces(folder: DataFolder) -> list[int]:
    """Some of the stored traces, drawn evenly."""
    draw = random.Random(SEED)  # noqa: S311 - a sample, no secret
    found = []
    for unit in Store(folder.root).snapshot():
        rows = unit.slice("traces", 0, unit.info.traces).select(["trace_hi", "trace_lo"]).to_pylist()
        chosen = draw.choices(rows, k=2000 * unit.info.spans // BLOCK)
        found += [row["trace_hi"] << 64 | row["trace_lo"] for row in chosen]
    return found


def fill(template: Template, spans: int, root: Path) -> DataFolder:
    """Blocks, and newer segments of a second each."""
    folder = DataFolder(root)
    folder.create()
    manifest = Manifest()
    sizes = [BLOCK] * max(1, -(-(spans - SEGMENTS * RATE) // BLOCK)) + [RATE] * SEGMENTS
    requests = timed_requests(template, time.time_ns() - int(sum(sizes) / RATE * 1e9))
    for size in sizes:
        taken, held = [], 0
        while held < size:
            body, items = next(requests)
            taken.append(body)
            held += items
        unit = written(folder, taken, UnitKind.BLOCK if size > RATE else UnitKind.SEGMENT)
        manifest = manifest.published([unit], LogPosition(1, 0))
    write_manifest(manifest, folder.manifest)
    say("stored", sum(unit.spans for unit in manifest.units), "spans", units=len(manifest.units))
    return folder


def written(folder: DataFolder, requests: list[bytes], kind: UnitKind) -> UnitInfo:
    tables, identity = decode(requests), uuid.uuid4().hex
    if kind is UnitKind.BLOCK:
        return unit_info(identity, kind, tables, write_block(tables, folder.block(identity)))
    return unit_info(identity, kind, tables, write_segment(tables, folder.segment(identity)))


def timed_requests(template: Template, clock: int) -> Iterator[tuple[bytes, int]]:
    for number in count():
        items = int(template.requests.items[number % len(template)])
        yield sent_request(template, SEED, number, clock), items
        clock += int(items / RATE * 1e9)


def sending(template: Path, seconds: float, backend: Backend, ledger: Path) -> SendSettings:
    per_request = float(np.mean(Template.open(template).requests.items))
    return SendSettings(
        endpoint=backend.addresses.otlp_grpc,
        template=template,
        seed=SEED + 1,
        schedule=ConstantRate(RATE / per_request),
        duration_s=seconds,
        vus_min=4,
        vus_max=64,
        ledger=ledger,
    )


if __name__ == "__main__":
    main()
