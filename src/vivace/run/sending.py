"""Conducts a send of its own to a backend that exists: sends, tells how it stands, measures, judges and reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from threading import Event
from time import sleep, time_ns
from typing import Final

import polars as pl
from rich.console import Console

from vivace.errors import ExitCode, Interrupted
from vivace.judge.circumstances import Circumstances
from vivace.judge.verdict import exit_code, judge
from vivace.ledger import SENDS, read_ledger
from vivace.measure.books import unbalanced_sends
from vivace.measure.figures import Adjustment, Figures, write_figures
from vivace.measure.ingest import ingest_figures
from vivace.measure.machine import this_machine
from vivace.measure.metrics import read_metrics
from vivace.measure.sampler import Sampler
from vivace.measure.usage import clock_step_ms, resource_figures
from vivace.report.render import render_profile
from vivace.report.sending import sending_summary
from vivace.run.conduct import stop_on_signals
from vivace.run.folder import RunFolder, create_run_folder
from vivace.send.check import check_connection
from vivace.send.configuration import SenderConfiguration
from vivace.send.exposition import served
from vivace.send.load import SendLoad
from vivace.send.plan import Plan, plan
from vivace.send.stats import Moment, Progress, stats_json, stats_text
from vivace.telemetry.template import Signal

TICK_SECONDS: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Sending:
    """What to send, and what to say of it."""

    name: str
    configuration: SenderConfiguration
    output: Path
    stats_every_s: float = 5.0
    as_json: bool = False
    metrics_port: int | None = None
    dashboard: bool = True
    check: bool = True
    """Whether to see first that every endpoint can be reached."""


def send(sending: Sending, say: Callable[[str], object] | None = None) -> ExitCode:
    """Sends until all is sent, the time is over or it is told to stop; TargetError when nobody takes it."""
    tell = say or Console(highlight=False, soft_wrap=True, markup=False).print
    planned = plan(sending.configuration, sending.output / "sends.parquet")
    if sending.check:
        for signal in planned.replays:
            check_connection(sending.configuration.otlp.transport(), signal)
    folder = create_run_folder(sending.output, [sending.name])
    with stop_on_signals() as stop:
        figures = _measured(sending, planned.at(folder.sends(sending.name)), folder, stop, tell)
    write_figures(figures, folder.figures(sending.name))
    if sending.dashboard and figures.signals is None:
        render_profile(folder.path, sending.name)
    if sending.as_json:
        tell(json.dumps({"summary": figures.model_dump(mode="json", exclude_none=True)}))
    else:
        for line in sending_summary(figures, folder.path):
            tell(line)
    return exit_code(figures)


def _measured(
    sending: Sending, planned: Plan, folder: RunFolder, stop: Event, tell: Callable[[str], object]
) -> Figures:
    load, ledger = SendLoad(planned.replays), folder.sends(sending.name)
    samples = folder.metrics(sending.name)
    with served(load.progress, sending.metrics_port) as port, Sampler(samples) as sampler:
        if port is not None and not sending.as_json:
            tell(f"metrics: http://127.0.0.1:{port}/metrics")
        load.start()
        watch = _Watch(load, sending, stop, tell)
        watch.run()
        rows = read_ledger(load.join(ledger), SENDS)
    progress = load.progress()
    figures = _figures(sending, planned, rows, progress, watch)
    metrics = read_metrics(samples)
    figures = figures.model_copy(
        update={"resources": resource_figures(metrics, None), "clock_step_ms": clock_step_ms(metrics)}
    )
    circumstances = Circumstances(
        asks=False,
        probes=False,
        unbalanced=tuple(_unbalanced(rows, progress)),
        failures=(*load.failures(), *([sampler.failure] if sampler.failure else [])),
    )
    return judge(figures, sending.configuration.objectives, circumstances)


class _Watch:
    """Follows a load to its end, and tells how it stands. The first signal ends it gently, the second at once."""

    def __init__(self, load: SendLoad, sending: Sending, stop: Event, tell: Callable[[str], object]) -> None:
        self._load = load
        self._sending = sending
        self._stop = stop
        self._tell = tell
        self._before: Moment | None = None
        self.started = datetime.now(UTC)
        self.elapsed_s = 0.0

    def run(self) -> None:
        """Returns when every sender has ended."""
        try:
            self._follow()
        except Interrupted:
            self._load.stop(at_once=True)
        while not self._load.done:
            sleep(TICK_SECONDS)
        self._show()

    @property
    def interrupted(self) -> bool:
        return self._stop.is_set()

    def _follow(self) -> None:
        next_s = self._sending.stats_every_s
        while not self._load.done:
            if self._stop.is_set():
                self._load.stop()
                sleep(TICK_SECONDS)
            else:
                self._stop.wait(TICK_SECONDS)
            if self._elapsed() >= next_s:
                next_s += self._sending.stats_every_s
                self._show()

    def _elapsed(self) -> float:
        """Seconds since the senders started."""
        self.elapsed_s = max(0.0, (time_ns() - self._load.start_ns) / 1e9)
        return self.elapsed_s

    def _show(self) -> None:
        moment = Moment(datetime.now().astimezone(), self._elapsed(), self._load.progress())
        written = stats_json if self._sending.as_json else stats_text
        self._tell(written(moment, self._before))
        self._before = moment


def _figures(sending: Sending, planned: Plan, rows: pl.DataFrame, progress: Progress, watch: _Watch) -> Figures:
    lasted = min(watch.elapsed_s, planned.duration_s)
    users = sum(settings.vus_max for settings in planned.replays.values())
    signals = {signal: rows.filter(pl.col("signal") == signal) for signal in planned.replays}
    several = {
        str(signal): figures
        for signal, own in signals.items()
        if (figures := ingest_figures(own, lasted, planned.replays[signal].vus_max)) is not None
    }
    endless = planned.duration_s == inf and sending.configuration.sending.multiplier == 0
    return Figures(
        profile=sending.name,
        seed=sending.configuration.sending.seed,
        target={"kind": "endpoint", "otlp_endpoint": ", ".join(sending.configuration.otlp.endpoint)},
        machine=this_machine(),
        started=watch.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        duration_s=round(lasted, 3),
        ingest=ingest_figures(rows, lasted, users),
        signals=None if set(signals) == {Signal.TRACES} else several,
        adjustment=_adjustment(progress),
        interrupted=(watch.interrupted and not endless) or None,
    )


def _adjustment(progress: Progress) -> Adjustment | None:
    rates = [each.adjusted_rate for each in progress.values() if each.adjusted_rate is not None]
    if not rates:
        return None
    return Adjustment(
        last=sum(rates),
        raised=sum(each.raised for each in progress.values()),
        lowered=sum(each.lowered for each in progress.values()),
    )


def _unbalanced(rows: pl.DataFrame, progress: Progress) -> Iterator[str]:
    for signal, counts in progress.items():
        for line in unbalanced_sends(rows.filter(pl.col("signal") == signal), counts.requests):
            yield line if len(progress) == 1 else f"{signal}: {line}"
