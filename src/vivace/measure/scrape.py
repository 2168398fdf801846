"""Reads a target's Prometheus metrics: bounded in time, size and number, and a failure is a result."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from vivace.measure.metrics import Sample, label_text

TIMEOUT_SECONDS: Final = 2.0
LARGEST_BYTES: Final = 16 * 2**20
MOST_SAMPLES: Final = 5_000
LONGEST_REASON: Final = 200
_LEFT_OUT: Final = ("_bucket", "_created")
"""Histograms keep their sums and counts."""


@dataclass(frozen=True)
class Scrape:
    """What a target said of itself, or why it said nothing."""

    samples: tuple[Sample, ...]
    error: str | None = None


def scrape(url: str, timeout: float = TIMEOUT_SECONDS) -> Scrape:
    """Reads the metrics at a URL once."""
    request = urllib.request.Request(url, headers={"Accept": "text/plain; version=0.0.4"})  # noqa: S310 - from the target
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310 - from the target
            body = _read(response, monotonic() + timeout)
        return Scrape(tuple(_samples(body.decode("utf-8"))))
    except urllib.error.HTTPError as error:
        with error:
            return Scrape((), f"HTTP status {error.code}")
    except urllib.error.URLError as error:
        return Scrape((), str(error.reason)[:LONGEST_REASON])
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Scrape((), f"{type(error).__name__}: {error}"[:LONGEST_REASON])


def _read(response: http.client.HTTPResponse, give_up: float) -> bytes:
    """The body, unless it is too long or comes too slowly."""
    body = bytearray()
    while chunk := response.read1(2**16):
        body += chunk
        if len(body) > LARGEST_BYTES:
            raise ValueError("more than 16 MiB of metrics")
        if monotonic() > give_up:
            raise TimeoutError("the metrics come too slowly")
    return bytes(body)


def _samples(text: str) -> Iterator[Sample]:
    count = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.endswith(_LEFT_OUT):
                continue
            yield Sample("target", sample.name, label_text(sample.labels), float(sample.value))
            count += 1
            if count == MOST_SAMPLES:
                return
