"""Conducts a query load of its own against a backend that exists: asks, measures, judges and reports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

from rich.console import Console

from vivace.errors import ExitCode, TargetError
from vivace.judge.circumstances import Circumstances
from vivace.judge.verdict import exit_code, judge
from vivace.ledger import QUERIES, read_ledger
from vivace.measure.asking import query_figures
from vivace.measure.books import unbalanced_queries
from vivace.measure.figures import Figures, write_figures
from vivace.measure.machine import this_machine
from vivace.measure.metrics import read_metrics
from vivace.measure.sampler import Sampler
from vivace.measure.usage import clock_step_ms, resource_figures
from vivace.profile.objective import Objective
from vivace.query.answer import Answer, Failure
from vivace.query.client import Client
from vivace.query.configuration.settings import ENDLESS_S
from vivace.query.exposition import check_port
from vivace.query.known import KnownTraces
from vivace.query.limiter import Limiter
from vivace.query.load import QueryLoad
from vivace.query.oracle.check import check_load
from vivace.query.settings import QuerySettings
from vivace.report.live import Live, LiveState, Phase
from vivace.report.render import render_profile
from vivace.report.summary import print_summary
from vivace.run.conduct import stop_on_signals
from vivace.run.folder import RunFolder, create_run_folder
from vivace.send.clock import Clock

TICK_SECONDS: Final = 0.1
REACH_SECONDS: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class AskingSettings:
    """A load and what is to be said of it."""

    name: str
    load: QuerySettings
    """Its ledger is put into the run's folder."""
    objectives: tuple[Objective, ...]
    output: Path
    dashboard: bool = True


def ask(settings: AskingSettings, console: Console | None = None) -> ExitCode:
    """Asks until the duration is over or it is told to stop; TargetError when nobody is there to be asked."""
    out = console or Console(highlight=False)
    load = settings.load
    if load.metrics_port is not None:
        check_port(load.metrics_port)
    if load.sent is not None:
        KnownTraces(load.sent)  # says at once what is wrong with them
    reach(load)
    folder = create_run_folder(settings.output, [settings.name])
    with stop_on_signals() as stop, Live(out) as live:
        figures = _measured(settings, folder, live, stop)
        live.update(LiveState(profile=settings.name, phase=Phase.REPORTING))
        write_figures(figures, folder.figures(settings.name))
        render_profile(folder.path, settings.name, settings.dashboard)
    print_summary(figures, folder.path, out)
    return exit_code(figures)


def reach(load: QuerySettings) -> None:
    """Asks /api/echo, as Grafana does; any answer of an HTTP server but a 5xx will do."""
    patient = replace(load, timeout_s=min(load.timeout_s, REACH_SECONDS), retries=0)

    async def echo() -> Answer:
        async with Client(patient, Clock()) as client:
            return await client.echo()

    answer = asyncio.run(echo())
    there = answer.failure is None or (answer.failure is Failure.STATUS and (answer.status or 500) < 500)
    if not there:
        said = f"/api/echo answers {answer.status}" if answer.failure is Failure.STATUS else answer.message
        raise TargetError(f"{load.base_url}: {said}; start the backend, or correct tempo.queryEndpoint")


def _measured(settings: AskingSettings, folder: RunFolder, live: Live, stop: Event) -> Figures:
    name = settings.name
    told = replace(settings.load, ledger=folder.queries(name))
    load = QueryLoad(told)
    sampler = Sampler(folder.metrics(name))
    with sampler:
        started, begun = datetime.now(UTC), monotonic()
        load.start()
        try:
            _watch(load, told, live, stop, name)
        finally:
            lasted = min(monotonic() - begun, told.duration_s)
            load.stop()
            ledger = load.join()
            check_load(told, load.answers)
    queries = read_ledger(ledger, QUERIES)
    metrics = read_metrics(folder.metrics(name))
    vus = None if isinstance(told.pace, Limiter) else told.vus_max
    figures = Figures(
        profile=name,
        seed=told.seed,
        target={"kind": "endpoint", "query_url": told.base_url},
        machine=this_machine(),
        started=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        duration_s=round(lasted, 3),
        query=query_figures(queries, lasted, vus),
        resources=resource_figures(metrics, None),
        clock_step_ms=clock_step_ms(metrics),
        interrupted=(stop.is_set() and told.duration_s < ENDLESS_S) or None,
    )
    circumstances = Circumstances(
        sends=False,
        unbalanced=unbalanced_queries(queries, load.progress().offered),
        failures=(*load.failures(), *([sampler.failure] if sampler.failure else [])),
    )
    return judge(figures, settings.objectives, circumstances)


def _watch(load: QueryLoad, told: QuerySettings, live: Live, stop: Event, name: str) -> None:
    """Until the load has ended or is to be stopped."""
    begun = monotonic()
    duration_s = told.duration_s if told.duration_s < ENDLESS_S else None
    while not load.progress().done and not stop.is_set():
        state = LiveState(
            profile=name,
            phase=Phase.RUNNING,
            elapsed_s=monotonic() - begun,
            duration_s=duration_s,
            query=load.progress(),
        )
        live.update(state)
        stop.wait(TICK_SECONDS)
