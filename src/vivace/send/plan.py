"""From a configuration to one replay for each signal: who sends how much of it, and how many at a time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vivace.errors import TemplateError
from vivace.pace import RequestSchedule, Stages
from vivace.send.configuration import SenderConfiguration
from vivace.send.cut import open_cut
from vivace.send.settings import SendSettings, Stream
from vivace.telemetry.template import Signal


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent, by signal."""

    replays: Mapping[Signal, SendSettings]
    schedule: Stages | None
    """Events of all signals."""
    duration_s: float
    """At most; may be infinite."""

    def at(self, ledger: Path) -> Plan:
        """The same with its ledgers beside another one."""
        moved = {signal: replace(settings, ledger=_beside(ledger, signal)) for signal, settings in self.replays.items()}
        return replace(self, replays=moved)


def plan(configuration: SenderConfiguration, ledger: Path) -> Plan:
    """Opens what is sent and shares everything out; ledgers lie beside `ledger`. TemplateError, ConfigurationError."""
    sending, stages = configuration.sending, configuration.sending.stages
    sources = _streams(configuration) or _templates(configuration)
    total = sum(source.events for source in sources.values())
    events = {signal: source.events for signal, source in sources.items()}
    users = distribution(sending.concurrency, events)
    processes = distribution(sending.processes or len(events), events)
    duration_s = min(configuration.duration_s, stages.duration_s) if stages else configuration.duration_s
    limit, adjust = sending.rate_limit.events_per_second, sending.adjust
    transport = configuration.otlp.transport()
    replays = {
        signal: SendSettings(
            transport=transport,
            template=source.path,
            stream=source.stream,
            batching=sending.batching(signal),
            seed=sending.seed,
            schedule=None if stages is None else RequestSchedule(stages, source.items, source.events / total),
            items_per_second=limit * source.events / total if limit > 0 else None,
            adjustment=adjust.settings().shared(source.events / total) if adjust else None,
            duration_s=duration_s,
            replays=None if source.stream else sending.multiplier or None,
            vus_min=users[signal],
            vus_max=users[signal],
            workers=1 if source.stream else min(processes[signal], users[signal]),
            attempts=sending.retry.settings(),
            times=configuration.timestamps.settings(),
            disorder=sending.disorder.settings(),
            ledger=_beside(ledger, signal),
        )
        for signal, source in sources.items()
    }
    return Plan(replays, stages, duration_s)


@dataclass(frozen=True, slots=True)
class _Source:
    """What is sent of a signal."""

    path: Path
    events: int
    """Spans, data points or records, of one replay."""
    items: npt.NDArray[np.int64]
    """Of each request, where that is known."""
    stream: Stream | None = None


def _templates(configuration: SenderConfiguration) -> dict[Signal, _Source]:
    sources = {}
    for signal, path in configuration.input.templates.items():
        template = open_cut(path, configuration.sending.batching(signal))
        if template.signal is not signal:
            raise TemplateError(f"{path}: holds {template.signal}, not {signal}; name it as input.{template.signal}")
        items = template.requests.items.astype(np.int64)
        sources[signal] = _Source(path, int(items.sum()), items)
    return sources


def _streams(configuration: SenderConfiguration) -> dict[Signal, _Source]:
    """The signals that the generator's file asks for; none where templates are sent."""
    if configuration.input.stream is None:
        return {}
    from vivace.telemetry.configuration import read_configuration  # noqa: PLC0415 - most senders generate nothing

    path = Path(configuration.input.stream)
    asked = read_configuration(path, os.environ)
    endless = configuration.sending.multiplier == 0
    events = {
        Signal.TRACES: asked.traces and asked.traces.count * asked.traces.spans.avg_per_trace,
        Signal.METRICS: asked.metrics and asked.metrics.metric_count * asked.metrics.timeseries_per_metric.usual,
        Signal.LOGS: asked.logs and asked.logs.count,
    }
    return {
        signal: _Source(path, max(1, int(count)), np.zeros(0, np.int64), Stream(asked, signal, endless))
        for signal, count in events.items()
        if count
    }


def distribution(workers: int, events: Mapping[Signal, int]) -> dict[Signal, int]:
    """Workers in proportion to each signal's events, and at least one."""
    total = sum(events.values())
    return {signal: max(1, workers * count // total) for signal, count in events.items()}


def _beside(ledger: Path, signal: Signal) -> Path:
    return ledger.with_name(f"{ledger.stem}-{signal}.parquet")
