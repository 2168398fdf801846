"""The processes of a run that send, ask and read back: started together, watched together, ended together."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import time_ns

from vivace.measure.probe import Probes, ProbeSettings
from vivace.pace import ConstantRate
from vivace.profile.model import Profile
from vivace.query.configuration.settings import Choices, read_configuration, settings_of
from vivace.query.load import QueryLoad
from vivace.query.mix import built_in_mix
from vivace.query.oracle.check import check_load
from vivace.query.settings import QuerySettings, SentTelemetry
from vivace.run.folder import RunFolder
from vivace.run.load import SendLoad
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.target import Target

TENANT_HEADER = "X-Scope-OrgID"
SETTLE_NS = 500_000_000


@dataclass(frozen=True)
class Stations:
    """Those of them that the run has."""

    replay: Replay | None = None
    queries: QueryLoad | None = None
    probes: Probes | None = None
    asked: QuerySettings | None = None
    """What the queries were told."""

    @property
    def all(self) -> list[Replay | QueryLoad | Probes]:
        return [each for each in (self.probes, self.queries, self.replay) if each is not None]

    @property
    def loaded(self) -> bool:
        """Whether anything is still sent or asked."""
        sending = self.replay is not None and not self.replay.progress().done
        asking = self.queries is not None and not self.queries.progress().done
        return sending or asking

    def feed(self) -> None:
        """Hands what was acknowledged to the probes, and to those who ask for traces by their IDs."""
        if self.replay is not None and (self.probes is not None or self.queries is not None):
            acknowledged = self.replay.acknowledged()
            if self.probes is not None:
                self.probes.feed(acknowledged)
            if self.queries is not None:
                self.queries.feed(acknowledged)

    def end_load(self) -> None:
        """Nothing more is sent or asked; what is in flight may end."""
        for each in (self.replay, self.queries):
            if each is not None:
                each.stop()

    def kill(self) -> None:
        """Ends all of them at once; what they have written down is kept, what was in flight is unknown."""
        for each in self.all:
            for pid in each.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def failures(self) -> tuple[str, ...]:
        """What became of processes that did not end well."""
        return tuple(line for each in self.all for line in each.failures())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Starts all of them at one instant, once all are ready; whatever happens, they end and write their ledgers."""
        with ThreadPoolExecutor(max_workers=max(1, len(self.all))) as pool:
            starts = [
                (each, pool.submit(each.start if isinstance(each, Probes) else each.prepare)) for each in self.all
            ]
        started = [each for each, start in starts if start.exception() is None]
        try:
            for _, start in starts:
                start.result()
            self._begin()
            yield
        finally:
            self._end(started)

    def _begin(self) -> None:
        """Processes that have just started get a moment to settle, so that their start disturbs no measurement."""
        start_ns = time_ns() + SETTLE_NS
        for each in (self.replay, self.queries):
            if each is not None:
                each.begin(start_ns)

    def _end(self, started: list[Replay | QueryLoad | Probes]) -> None:
        for each in started:
            if isinstance(each, Probes):
                if not each.progress().done:
                    each.stop(0.0)
            else:
                each.stop()
        for each in started:
            each.join()
        self._check()

    def _check(self) -> None:
        """Compares answers with what was sent, where this run knows it."""
        if self.replay is not None and self.queries is not None and self.asked is not None:
            check_load(self.asked, self.queries.answers, self.replay.join())


def open_stations(
    profile: Profile,
    folder: RunFolder,
    target: Target,
    *,
    load: SendLoad | None,
    asks: bool,
    seed: int,
    tenant: str | None,
) -> Stations:
    """Sends when there is a load, asks when it is told to, reads back when it sends and can ask."""
    replay = queries = probes = asked = None
    if load is not None and target.otlp_endpoint is not None:
        replay = Replay(
            send_settings(
                profile, load, target.otlp_endpoint, seed=seed, ledger=folder.sends(profile.name), tenant=tenant
            )
        )
        if target.query_url is not None:
            probes = Probes(
                ProbeSettings(
                    query_url=target.query_url,
                    template=load.template,
                    seed=seed,
                    ledger=folder.probes(profile.name),
                    tenant=tenant,
                )
            )
    if asks and target.query_url is not None:
        sent = None
        if replay is not None and load is not None:
            exclusive = target.describe().get("kind") == "embedded"
            sent = SentTelemetry(template=load.template, seed=seed, exclusive=exclusive)
        ledger = folder.queries(profile.name)
        asked = query_settings(profile, target.query_url, seed=seed, ledger=ledger, tenant=tenant, sent=sent)
        queries = QueryLoad(asked)
    return Stations(replay, queries, probes, asked)


def send_settings(
    profile: Profile, load: SendLoad, endpoint: str, *, seed: int, ledger: Path, tenant: str | None
) -> SendSettings:
    """The replay that a profile describes."""
    vus = profile.load.vus
    workers = min(load.workers, vus.max)
    return SendSettings(
        endpoint=endpoint,
        template=load.template,
        seed=seed,
        schedule=load.schedule,
        duration_s=profile.load.duration,
        vus_min=vus.min,
        vus_max=vus.max,
        workers=workers,
        headers=headers_of(profile, tenant),
        ledger=ledger,
    )


def query_settings(
    profile: Profile, url: str, *, seed: int, ledger: Path, tenant: str | None, sent: SentTelemetry | None = None
) -> QuerySettings:
    """The query load that a profile describes, with the built-in mix, or that of the file which it names."""
    headers = dict(profile.target.headers) if profile.target is not None else {}
    if profile.query.configuration is not None:
        configuration = read_configuration(Path(profile.query.configuration))
        choices = Choices(endpoint=url, duration_s=profile.load.duration, seed=seed, serve_metrics=False)
        told = settings_of(configuration, choices, ledger)
        tenant = told.tenant if tenant is None else tenant
        return replace(told, tenant=tenant, headers={**told.headers, **headers}, sent=sent)
    queries, buckets, plan = built_in_mix(profile.load.duration)
    return QuerySettings(
        base_url=url,
        queries=queries,
        buckets=buckets,
        plan=plan,
        pace=ConstantRate(profile.load.query.queries_per_second),
        vus_min=profile.load.vus.min,
        vus_max=profile.load.vus.max,
        limit=profile.query.limit,
        click_probability=profile.query.click_probability,
        repeat_probability=profile.query.repeat_probability,
        retries=profile.query.retries,
        seed=seed,
        duration_s=profile.load.duration,
        timeout_s=profile.query.timeout,
        tenant=tenant,
        headers=headers,
        sent=sent,
        ledger=ledger,
    )


def headers_of(profile: Profile, tenant: str | None) -> dict[str, str]:
    """What every request carries besides its telemetry."""
    own = dict(profile.target.headers) if profile.target is not None else {}
    return own if tenant is None else {**own, TENANT_HEADER.lower(): tenant}
