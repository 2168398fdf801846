"""One profile against one target: from telemetry to judged figures, with every ledger kept whatever happens."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from time import monotonic, sleep
from typing import Final

from vivace.errors import Interrupted
from vivace.measure.figures import Ceiling
from vivace.measure.sampler import Sampler
from vivace.profile.model import Profile
from vivace.report.live import Live, LiveState, Phase
from vivace.run.account import Account
from vivace.run.folder import RunFolder
from vivace.run.load import SendLoad, prepare_load
from vivace.run.settings import RunSettings
from vivace.run.stations import Stations, open_stations, send_settings
from vivace.send.calibrate import ceiling
from vivace.send.replay import Replay
from vivace.target import EmbeddedTarget, EndpointTarget, Target

TICK_SECONDS: Final = 0.04
"""Between looks at what was acknowledged: a probe should ask soon after."""
CALIBRATION_SECONDS: Final = 2.0
FILLING_SECONDS: Final = 15.0
"""For so long an empty target is filled at the profile's pace when a run only asks."""


class ProfileRun:
    """Runs once."""

    def __init__(self, profile: Profile, settings: RunSettings, folder: RunFolder, live: Live, stop: Event) -> None:
        self._profile = profile
        self._settings = settings
        self._folder = folder
        self._live = live
        self._stop = stop
        self._seed = settings.seed_of(profile)
        self._endpoints = settings.endpoints(profile)
        self._cut_short = False

    def run(self) -> Account:
        """Gives the account of what happened; TargetError when the target cannot be reached or started."""
        try:
            with self._target_running() as target:
                load = self._prepare()
                limit = self._calibrate(load)
                self._fill(target, load)
                stations = self._stations(target, load)
                return self._measure(target, stations, limit)
        finally:
            shutil.rmtree(self._folder.template(self._profile.name).parent, ignore_errors=True)

    @contextmanager
    def _target_running(self) -> Iterator[Target]:
        self._show(Phase.STARTING_TARGET)
        target = self._target()
        target.start()
        try:
            yield target
        finally:
            target.stop()

    def _target(self) -> Target:
        where, name = self._endpoints, self._profile.name
        if where.embedded:
            return EmbeddedTarget(
                self._folder.target_data(name),
                keep=self._settings.keep_target,
                log=self._folder.target_log(name) if self._settings.collect_logs else None,
            )
        return EndpointTarget(where.otlp, where.query, where.metrics)

    def _prepare(self) -> SendLoad | None:
        if not self._settings.activity.sends and not self._endpoints.embedded:
            return None
        self._show(Phase.PREPARING)
        return prepare_load(
            self._profile, self._folder.template(self._profile.name), self._seed, self._settings.workers
        )

    def _calibrate(self, load: SendLoad | None) -> Ceiling | None:
        if load is None or not self._settings.activity.sends or not self._settings.calibrate or self._stop.is_set():
            return None
        self._show(Phase.CALIBRATING)
        reached = ceiling(load.template, CALIBRATION_SECONDS, load.workers)
        return Ceiling(spans_per_s=reached.spans_per_s, mb_per_s=reached.mb_per_s)

    def _fill(self, target: Target, load: SendLoad | None) -> None:
        """Gives an own, empty target something to be asked about; not part of the measurement."""
        if self._settings.activity.sends or load is None or target.otlp_endpoint is None:
            return
        ledger = load.template.parent / "filling.parquet"
        told = send_settings(
            self._profile, load, target.otlp_endpoint, seed=self._seed, ledger=ledger, tenant=self._endpoints.tenant
        )
        filling = Replay(replace(told, duration_s=FILLING_SECONDS))
        filling.start()
        begun = monotonic()
        while not filling.progress().done and not self._stop.is_set():
            self._show(Phase.PREPARING, monotonic() - begun, FILLING_SECONDS)
            sleep(TICK_SECONDS)
        filling.stop()
        filling.join()

    def _stations(self, target: Target, load: SendLoad | None) -> Stations:
        activity = self._settings.activity
        return open_stations(
            self._profile,
            self._folder,
            target,
            load=load if activity.sends else None,
            asks=activity.asks,
            seed=self._seed,
            tenant=self._endpoints.tenant,
        )

    def _measure(self, target: Target, stations: Stations, limit: Ceiling | None) -> Account:
        sampler = Sampler(self._folder.metrics(self._profile.name), target.metrics_url)
        for role, pid in target.processes().items():
            sampler.watch("target", role, pid)
        with sampler, stations.running():
            started, begun = datetime.now(UTC), monotonic()
            lasted = self._load_and_verify(stations, target, sampler, begun)
        return Account(
            profile=self._profile,
            seed=self._seed,
            target=target.describe(),
            started=started,
            duration_s=lasted,
            interrupted=self._stop.is_set(),
            ceiling=limit,
            failures=(
                *(() if self._cut_short else stations.failures()),
                *([sampler.failure] if sampler.failure else []),
            ),
            target_failure=target.failure(),
            offered_requests=stations.replay.progress().requests if stations.replay else None,
            offered_queries=stations.queries.progress().offered if stations.queries else None,
            probes=stations.probes is not None,
        )

    def _load_and_verify(self, stations: Stations, target: Target, sampler: Sampler, begun: float) -> float:
        """How long the load lasted, in seconds; a second signal ends everything where it is."""
        lasted = None
        try:
            self._load(stations, target, begun)
            lasted = min(monotonic() - begun, self._profile.load.duration)
            sampler.stop()
            self._verify(stations, target)
        except Interrupted:
            self._cut_short = True
            stations.kill()
        return lasted or min(monotonic() - begun, self._profile.load.duration)

    def _load(self, stations: Stations, target: Target, begun: float) -> None:
        """Until the load has ended, the user stops it, or the target is gone."""
        while stations.loaded and not self._stop.is_set() and target.failure() is None:
            stations.feed()
            self._show(Phase.RUNNING, monotonic() - begun, self._profile.load.duration, stations)
            self._stop.wait(TICK_SECONDS)
        stations.end_load()
        while stations.loaded:
            stations.feed()
            self._show(Phase.RUNNING, monotonic() - begun, self._profile.load.duration, stations)
            sleep(TICK_SECONDS)

    def _verify(self, stations: Stations, target: Target) -> None:
        """Gives the traces that were drawn their time to appear; none when the user is in a hurry or all is lost."""
        if stations.probes is None:
            return
        stations.feed()
        hurried = self._stop.is_set() or target.failure() is not None
        stations.probes.stop(2.0 if hurried else None)
        begun = monotonic()
        while not stations.probes.progress().done:
            self._show(Phase.VERIFYING, monotonic() - begun, None, stations)
            sleep(TICK_SECONDS)

    def _show(
        self, phase: Phase, elapsed_s: float = 0.0, duration_s: float | None = None, stations: Stations | None = None
    ) -> None:
        at = stations or Stations()
        self._live.update(
            LiveState(
                profile=self._profile.name,
                phase=phase,
                elapsed_s=elapsed_s,
                duration_s=duration_s,
                send=at.replay.progress() if at.replay else None,
                query=at.queries.progress() if at.queries else None,
                probes=at.probes.progress() if at.probes else None,
            )
        )
