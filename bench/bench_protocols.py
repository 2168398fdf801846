"""What one exporter sends over each protocol into a sink on the same machine: requests with fresh IDs and times.

`cores` is what the exporter's process took, patching included; `per_core` is what it would send with a whole one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from vivace.send.answer import Outcome
from vivace.send.export import open_exporter
from vivace.send.request import InFlight
from vivace.send.sink import Sink
from vivace.send.transport import Compression, OtlpProtocol, Transport
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.patch import Patcher
from vivace.telemetry.template import Template

SECONDS: Final = 2.0
LARGE: Final = 1000
"""Items of a request."""
IN_FLIGHT: Final = {True: 6, False: 64}
"""Large requests, small ones: so many that the exporter never waits."""
WAYS: Final = (
    (OtlpProtocol.GRPC, Compression.NONE),
    (OtlpProtocol.HTTP_PROTOBUF, Compression.NONE),
    (OtlpProtocol.GRPC, Compression.GZIP),
    (OtlpProtocol.HTTP_PROTOBUF, Compression.GZIP),
    (OtlpProtocol.HTTP_PROTOBUF, Compression.ZSTD),
    (OtlpProtocol.HTTP_JSON, Compression.NONE),
)


def requests_acknowledged(template: Template, transport: Transport, vus: int) -> Iterator[tuple[int, float]]:
    """Number of each request that was acknowledged within the time, and then (-1, CPU seconds)."""
    patcher = Patcher(template, 1)
    exporter = open_exporter(transport, template.signal)
    exporter.connect(5.0)
    number = in_flight = 0
    cpu_before, end = time.process_time(), time.monotonic() + SECONDS
    while time.monotonic() < end:
        while in_flight < vus:
            exporter.export(patcher.patch(number, time.time_ns()), InFlight(number, 0, 0, 0, 0))
            number, in_flight = number + 1, in_flight + 1
        for ended in exporter.wait(0.5):
            assert ended.answer.outcome is Outcome.ACKNOWLEDGED, ended.answer
            in_flight -= 1
            yield ended.request.number, 0.0
    yield -1, time.process_time() - cpu_before
    exporter.close()


def measure(name: str, template: Template, transport: Transport) -> None:
    """Sends for a while, then says how much arrived."""
    items: list[int] = template.requests.items.tolist()
    sizes: list[int] = (template.requests.stop - template.requests.start).tolist()
    numbers = []
    cpu_s = 0.0
    in_flight = IN_FLIGHT[bool(template.requests.items[0] > LARGE)]
    for number, seconds in requests_acknowledged(template, transport, in_flight):
        if number >= 0:
            numbers.append(number % len(template))
        cpu_s += seconds
    totals = {
        f"{template.signal}_items": (sum(items[number] for number in numbers), "items/s"),
        "requests": (len(numbers), "requests/s"),
        "megabytes": (sum(sizes[number] for number in numbers) / 1e6, "MB/s"),
    }
    for what, (total, unit) in totals.items():
        line = {"name": f"{name}_{what}", "value": round(total / SECONDS, 1), "unit": unit}
        print(json.dumps(line | {"cores": round(cpu_s / SECONDS, 2), "per_core": round(total / cpu_s, 1)}), flush=True)


def make_template(folder: Path, name: str, settings: TraceSettings) -> Template:
    generate_traces(settings, folder / name)
    return Template.open(folder / f"{name}-traces.pb")


def main() -> None:
    with TemporaryDirectory(prefix="vivace-bench-") as name, Sink() as sink:
        large = make_template(Path(name), "large", TraceSettings(profile="medium", traces=3000, traces_per_request=150))
        small = make_template(Path(name), "small", TraceSettings(profile="small", traces=4000, traces_per_request=2))
        for protocol, compression in WAYS:
            transport = Transport(endpoints=(sink.address,), protocol=protocol, compression=compression)
            title = f"{protocol}_{compression}".replace("/", "_")
            measure(f"large_{title}", large, transport)
            if compression is Compression.NONE:
                measure(f"small_{title}", small, transport)


if __name__ == "__main__":
    main()
