"""How a load stands, as text and as JSON: what is printed every few seconds and served to Prometheus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vivace.send.progress import SendProgress
from vivace.telemetry.template import Signal

SENT: Final = {Signal.TRACES: "Trace spans sent", Signal.METRICS: "Metrics sent", Signal.LOGS: "Logs sent"}
Progress = Mapping[Signal, SendProgress]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a load."""

    time: datetime
    elapsed_s: float
    progress: Progress

    @property
    def events(self) -> int:
        """That were acknowledged, of all signals."""
        return sum(progress.acknowledged_spans for progress in self.progress.values())

    @property
    def errors(self) -> int:
        """Requests that were not."""
        return sum(progress.errors for progress in self.progress.values())


def stats_text(moment: Moment, before: Moment | None) -> str:
    """The lines that are printed; the recent rate is that since the moment before."""
    lines = [f"[{moment.time:%H:%M:%S}] Stats:"]
    for signal, words in SENT.items():
        progress = moment.progress.get(signal)
        lines.append(f"  {words}: {0 if progress is None else progress.acknowledged_spans}")
    lines += [
        f"  Total events: {moment.events}",
        f"  Errors: {moment.errors}",
        f"  Elapsed: {moment.elapsed_s:.0f}s",
        f"  Overall rate: {overall_rate(moment):.0f} events/sec",
        f"  Recent rate: {recent_rate(moment, before):.0f} events/sec",
    ]
    return "\n".join(lines)


def stats_json(moment: Moment, before: Moment | None) -> str:
    """The same and more, on one line."""
    said: dict[str, object] = {
        "time": moment.time.isoformat(timespec="milliseconds"),
        "elapsed_s": round(moment.elapsed_s, 3),
        "events": moment.events,
        "errors": moment.errors,
        "overall_events_per_s": round(overall_rate(moment), 1),
        "recent_events_per_s": round(recent_rate(moment, before), 1),
    }
    return json.dumps(said | {str(signal): counts(progress) for signal, progress in moment.progress.items()})


def counts(progress: SendProgress) -> dict[str, int]:
    """The counters of a signal."""
    return {
        "offered": progress.offered_spans,
        "dropped": progress.dropped_spans,
        "sent": progress.sent_spans,
        "acknowledged": progress.acknowledged_spans,
        "rejected": progress.rejected_spans,
        "failed": progress.failed_spans,
        "unknown": progress.unknown_spans,
        "sent_bytes": progress.sent_bytes,
        "requests": progress.requests,
        "errors": progress.errors,
        "retries": progress.retries,
        "disordered": progress.disordered,
        "in_flight": progress.in_flight,
    }


def overall_rate(moment: Moment) -> float:
    """Events per second since the start."""
    return moment.events / moment.elapsed_s if moment.elapsed_s > 0 else 0.0


def recent_rate(moment: Moment, before: Moment | None) -> float:
    """Events per second since the moment before; without one, since the start."""
    if before is None:
        return overall_rate(moment)
    seconds = moment.elapsed_s - before.elapsed_s
    return (moment.events - before.events) / seconds if seconds > 0 else 0.0
