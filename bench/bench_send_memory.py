"""How much memory a sender takes to replay a file of a gigabyte: all that is resident, but for the file's own pages.

`private` leaves out the pages of its index, too, which the system takes back as it does those of the file.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from vivace.send.cut import Batching, Per
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.send.sink import Sink
from vivace.telemetry.generate import generate_traces
from vivace.telemetry.settings import TraceSettings

TRACES = 96_000
SECONDS = 5.0
CUTS = {
    "as_generated": None,
    "by_service": Batching(Per.SERVICE),
    "by_traces": Batching(Per.TRACES, 300),
}


def resident(pid: int, *apart_from: Path) -> int:
    """Bytes that a process has in memory, but for what it maps of these files."""
    names = {str(path) for path in apart_from}
    return sum(size for name, size in mappings(pid) if name not in names)


def mappings(pid: int) -> Iterator[tuple[str, int]]:
    """The file that each mapping is of, and how many bytes of it are resident."""
    name = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            name = line.split(maxsplit=5)[5] if len(line.split(maxsplit=5)) > 5 else ""
        elif line.startswith("Rss:"):
            yield name, int(line.split()[1]) * 1024


def measure(name: str, batching: Batching | None, template: Path, ledger: Path) -> None:
    with Sink() as sink:
        replay = Replay(
            SendSettings(
                endpoint=sink.address,
                template=template,
                batching=batching,
                seed=1,
                schedule=None,
                duration_s=SECONDS,
                vus_min=8,
                vus_max=8,
                ledger=ledger,
            )
        )
        replay.start()
        most = private = 0
        while not replay.progress().done:
            for pid in replay.pids():
                try:
                    most = max(most, resident(pid, template))
                    private = max(private, resident(pid, template, template.with_suffix(".index")))
                except FileNotFoundError:
                    break
            time.sleep(0.1)
        sent = replay.progress().sent_bytes
        replay.join()
    facts = {"sent_mb": round(sent / 1e6), "template_mb": round(template.stat().st_size / 1e6)}
    for kind, size in ((name, most), (f"{name}_private", private)):
        print(json.dumps({"name": f"send_memory_{kind}", "value": round(size / 1e6, 1), "unit": "MB"} | facts))


def main() -> None:
    with TemporaryDirectory(prefix="vivace-bench-") as name:
        folder = Path(name).resolve()
        generate_traces(TraceSettings(profile="medium", traces=TRACES, traces_per_request=150), folder / "large")
        for cut, batching in CUTS.items():
            measure(cut, batching, folder / "large-traces.pb", folder / "sends.parquet")


if __name__ == "__main__":
    main()
