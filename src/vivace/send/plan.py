"""From a configuration to one replay for each signal: who sends how much of it, and how many at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vivace.errors import TemplateError
from vivace.pace import RequestSchedule, Stages
from vivace.send.configuration import SenderConfiguration
from vivace.send.cut import open_cut
from vivace.send.settings import SendSettings
from vivace.telemetry.template import Signal, Template


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
    """Opens the templates and shares everything out; ledgers lie beside `ledger`. TemplateError, ConfigurationError."""
    sending, stages = configuration.sending, configuration.sending.stages
    templates = {signal: _opened(configuration, signal, path) for signal, path in configuration.input.templates.items()}
    events = {signal: int(template.requests.items.sum()) for signal, template in templates.items()}
    total = sum(events.values())
    users = distribution(sending.concurrency, events)
    processes = distribution(sending.processes or len(events), events)
    duration_s = min(configuration.duration_s, stages.duration_s) if stages else configuration.duration_s
    limit, adjust = sending.rate_limit.events_per_second, sending.adjust
    transport = configuration.otlp.transport()
    replays = {
        signal: SendSettings(
            transport=transport,
            template=configuration.input.templates[signal],
            batching=sending.batching(signal),
            seed=sending.seed,
            schedule=_schedule(stages, template, events[signal] / total),
            items_per_second=limit * events[signal] / total if limit > 0 else None,
            adjustment=adjust.settings().shared(events[signal] / total) if adjust else None,
            duration_s=duration_s,
            replays=sending.multiplier or None,
            vus_min=users[signal],
            vus_max=users[signal],
            workers=min(processes[signal], users[signal]),
            attempts=sending.retry.settings(),
            times=configuration.timestamps.settings(),
            disorder=sending.disorder.settings(),
            ledger=_beside(ledger, signal),
        )
        for signal, template in templates.items()
    }
    return Plan(replays, stages, duration_s)


def distribution(workers: int, events: Mapping[Signal, int]) -> dict[Signal, int]:
    """Workers in proportion to each signal's events, and at least one."""
    total = sum(events.values())
    return {signal: max(1, workers * count // total) for signal, count in events.items()}


def _beside(ledger: Path, signal: Signal) -> Path:
    return ledger.with_name(f"{ledger.stem}-{signal}.parquet")


def _opened(configuration: SenderConfiguration, signal: Signal, path: Path) -> Template:
    template = open_cut(path, configuration.sending.batching(signal))
    if template.signal is not signal:
        raise TemplateError(f"{path}: holds {template.signal}, not {signal}; name it as input.{template.signal}")
    return template


def _schedule(stages: Stages | None, template: Template, share: float) -> RequestSchedule | None:
    if stages is None:
        return None
    return RequestSchedule(stages, template.requests.items.astype(np.int64), share)
