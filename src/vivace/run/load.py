"""From a profile's figures to what is sent: MB/s become requests per second of a template's true size."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

from vivace.measure.machine import usable_cores
from vivace.pace import ConstantRate
from vivace.profile.model import Profile
from vivace.telemetry.generate import SPANS, Metadata, TraceSettings, generate_traces

REQUESTS_PER_SECOND: Final = 100
"""How finely a load is cut: enough for smooth percentiles, few enough to look like a collector's batches."""
TYPICAL_SPAN_BYTES: Final = 350
LARGEST_REQUEST_BYTES: Final = 1_000_000
TEMPLATE_BYTES: Final = 24_000_000
"""Of distinct telemetry: neighbouring requests differ, and it is made in a second or two."""
FEWEST_REQUESTS: Final = 64
MOST_REQUESTS: Final = 2_000
SPANS_PER_WORKER: Final = 400_000


@dataclass(frozen=True)
class SendLoad:
    """The telemetry of a run and its pace."""

    template: Path
    schedule: ConstantRate
    workers: int


def prepare_load(profile: Profile, prefix: Path, seed: int, workers: int | None = None) -> SendLoad:
    """Generates the profile's telemetry at `prefix` and finds the pace that gives its MB/s."""
    ingestion, wanted = profile.load.ingestion, profile.telemetry
    bytes_per_second = ingestion.mb_per_second * 1e6
    trace_bytes = sum(SPANS[ingestion.trace_profile]) / 2 * TYPICAL_SPAN_BYTES
    per_request = wanted.traces_per_request or traces_per_request(bytes_per_second, trace_bytes)
    requests = min(max(FEWEST_REQUESTS, int(TEMPLATE_BYTES / (per_request * trace_bytes))), MOST_REQUESTS)
    made = generate_traces(
        TraceSettings(
            profile=ingestion.trace_profile,
            traces=wanted.traces or requests * per_request,
            traces_per_request=per_request,
            seed=seed,
        ),
        prefix,
    )
    template = prefix.with_name(made.template)
    rate = bytes_per_second * made.requests / made.bytes
    return SendLoad(template, ConstantRate(rate), workers or workers_for(rate, made))


def traces_per_request(bytes_per_second: float, trace_bytes: float) -> int:
    """So many that about REQUESTS_PER_SECOND requests carry the load, and none is too large."""
    wanted = bytes_per_second / trace_bytes / REQUESTS_PER_SECOND
    return max(1, round(min(wanted, LARGEST_REQUEST_BYTES / trace_bytes)))


def workers_for(requests_per_second: float, made: Metadata) -> int:
    """One, or as many as the rate needs and the machine has cores for."""
    spans_per_second = requests_per_second * made.spans / made.requests
    return max(1, min(ceil(spans_per_second / SPANS_PER_WORKER), int(usable_cores())))
