"""Samples generator and target once a second while a test runs, in a thread, into `<profile>-metrics.csv`."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Final

from vivace.measure.metrics import CLOCK_STEP, CPU_SECONDS, MEMORY_BYTES, UP, MetricsWriter, Sample, Source, label_text
from vivace.measure.processes import ProcessWatch
from vivace.measure.scrape import TIMEOUT_SECONDS, Scrape, scrape
from vivace.send.clock import Clock

INTERVAL_SECONDS: Final = 1.0
SETTLE_INTERVALS: Final = 1.2
GREATEST_SHARE: Final = 0.1
"""Of a core that sampling may take: when it costs more, it samples less often."""


class Sampler:
    """From start() to stop(). The process that starts it is watched as the generator's "run".

    `metrics_url` is where the target's Prometheus metrics are, when it has any.
    """

    def __init__(self, path: Path, metrics_url: str | None = None, interval_s: float = INTERVAL_SECONDS) -> None:
        self._writer = MetricsWriter(path)
        self._metrics_url = metrics_url
        self._interval_s = interval_s
        self._processes = ProcessWatch()
        self._clock = Clock()
        self._target_watched = False
        self._ended = Event()
        self._thread = Thread(target=self._run, name="vivace-sampler", daemon=True)
        self.failure: str | None = None
        """Why nothing more could be written; None while all is well."""
        self.watch("generator", "run", os.getpid())

    def watch(self, source: Source, role: str, pid: int) -> None:
        """Counts a process, and what it starts, for a role; at any time."""
        self._target_watched |= source == "target"
        self._processes.watch(source, role, pid)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Takes a last sample and closes the file; returns when that is done.

        A target that brings its metrics up to date once per interval is given the time to do so.
        """
        self._ended.set()
        self._thread.join()

    def __enter__(self) -> Sampler:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while not self._ended.wait(self._sample()):
                pass
            if self._metrics_url is not None:
                sleep(self._interval_s * SETTLE_INTERVALS)
            self._sample()
        except OSError as error:
            self.failure = f"metrics could not be written: {error.strerror}"
        finally:
            self._close()

    def _close(self) -> None:
        """What was still to be written may meet the same obstacle again."""
        try:
            self._writer.close()
        except OSError as error:
            self.failure = f"metrics could not be written: {error.strerror}"

    def _sample(self) -> float:
        """Samples once; returns how long to wait for the next time, in seconds."""
        begun = monotonic()
        samples = self._processes.sample()
        samples.append(Sample("generator", CLOCK_STEP, "", self._clock.step_ns() / 1e9))
        if self._metrics_url is not None:
            samples += self._of_target(scrape(self._metrics_url, min(TIMEOUT_SECONDS, self._interval_s * 2)))
        self._writer.append(self._clock.now_ns() / 1e9, samples)
        cost = monotonic() - begun
        return max(self._interval_s - cost, cost / GREATEST_SHARE - cost)

    def _of_target(self, scraped: Scrape) -> list[Sample]:
        """Its own count of CPU and memory is left out when its processes are watched here."""
        if scraped.error is not None:
            return [Sample("target", UP, label_text({"error": scraped.error}), 0.0)]
        left_out = (CPU_SECONDS, MEMORY_BYTES) if self._target_watched else ()
        return [*(s for s in scraped.samples if s.metric not in left_out), Sample("target", UP, "", 1.0)]
