"""What this machine can send at best: a replay as fast as it goes, into a sink of its own."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from vivace.errors import VivaceError
from vivace.ledger import SENDS, read_ledger
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.send.sink import Sink, SinkSettings
from vivace.send.transport import Transport
from vivace.telemetry.template import Template

WARM_UP: Final = 0.25
"""Of the time; left out of the figures."""
BYTES_IN_FLIGHT: Final = 8_000_000
WORKERS_PER_SINK: Final = 2
FEWEST_VUS: Final = 4
MOST_VUS: Final = 64


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What was acknowledged per second, by a target that does nothing."""

    spans_per_s: float
    mb_per_s: float
    requests_per_s: float


def ceiling(template: Path, seconds: float = 2.0, workers: int = 1, like: Transport | None = None) -> Ceiling:
    """Sends for so long into a sink with a process for every few workers, which is less busy than they are.

    With the protocol and compression of `like`, but in plaintext.
    """
    processes = ceil(workers / WORKERS_PER_SINK)
    with TemporaryDirectory(prefix="vivace-") as folder, Sink(SinkSettings(processes=processes)) as sink:
        vus = workers * vus_to_saturate(Template.open(template))
        replay = Replay(
            SendSettings(
                transport=_way(sink.address, like),
                template=template,
                seed=0,
                schedule=None,
                duration_s=seconds,
                vus_min=vus,
                vus_max=vus,
                workers=workers,
                ledger=Path(folder) / "ceiling.parquet",
            )
        )
        replay.start()
        rows = read_ledger(replay.join(), SENDS)
        if replay.failures():
            raise VivaceError("; ".join(replay.failures()))
    return _ceiling(rows, replay.start_ns, seconds)


def _way(address: str, like: Transport | None) -> Transport:
    return (
        Transport(endpoints=(address,))
        if like is None
        else Transport(endpoints=(address,), protocol=like.protocol, compression=like.compression)
    )


def vus_to_saturate(template: Template) -> int:
    """So many requests in flight that the sender never waits, and no more than that."""
    return max(FEWEST_VUS, min(MOST_VUS, BYTES_IN_FLIGHT * len(template) // template.payload.size))


def _ceiling(rows: pl.DataFrame, start_ns: int, seconds: float) -> Ceiling:
    warm_ns, end_ns = start_ns + round(seconds * WARM_UP * 1e9), start_ns + round(seconds * 1e9)
    counted = rows.filter(pl.col("outcome") == "acknowledged", pl.col("ended_ns").is_between(warm_ns, end_ns))
    window_s = (end_ns - warm_ns) / 1e9
    return Ceiling(
        spans_per_s=float(counted["items"].sum()) / window_s,
        mb_per_s=float(counted["bytes"].cast(pl.Int64).sum()) / window_s / 1e6,
        requests_per_s=counted.height / window_s,
    )
