"""Runs a sink for somebody who looks on."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

from vivace.send.sink.counts import SinkCounts
from vivace.send.sink.settings import SinkSettings
from vivace.send.sink.sink import Sink


def watch(settings: SinkSettings, say: Callable[[str], object]) -> None:
    """Until Ctrl-C; says each second what arrives and in the end how much it was."""
    with Sink(settings) as sink:
        secret = "" if settings.tls is None else " over TLS"
        say(f"listening on {' and '.join(sink.addresses)} (OTLP over gRPC and HTTP{secret}); Ctrl-C ends")
        try:
            _say_rates(sink, say)
        except KeyboardInterrupt:
            say(f"received {amount(sink.counts())}")


def _say_rates(sink: Sink, say: Callable[[str], object]) -> None:
    before, since = sink.counts(), monotonic()
    while True:
        sleep(1.0)
        now, counts = monotonic(), sink.counts()
        if counts != before:
            say(f"{_rates(before, counts, now - since)}; so far {amount(counts)}")
        before, since = counts, now


def _rates(before: SinkCounts, after: SinkCounts, seconds: float) -> str:
    rates = [f"{(after.bytes - before.bytes) / seconds / 1e6:,.1f} MB/s"]
    for name, old, new in zip(("spans", "points", "records"), _items(before), _items(after), strict=True):
        if new is not None and old is not None and new != old:
            rates.append(f"{(new - old) / seconds:,.0f} {name}/s")
    return ", ".join(rates)


def amount(counts: SinkCounts) -> str:
    """Everything that was counted, but what never happened."""
    parts = [f"{counts.requests:,} requests", f"{counts.bytes / 1e6:,.1f} MB"]
    for name, count in zip(("spans", "data points", "log records"), _items(counts), strict=True):
        if count:
            parts.append(f"{count:,} {name}")
    if counts.traces:
        parts.append(f"{'' if counts.traces_exact else 'about '}{counts.traces:,} traces")
    parts += [
        f"{count:,} {'items ' if name == 'rejected' else ''}{name}" for name, count in counts.faults.items() if count
    ]
    return ", ".join(parts)


def _items(counts: SinkCounts) -> tuple[int | None, int | None, int | None]:
    return counts.spans, counts.points, counts.records
