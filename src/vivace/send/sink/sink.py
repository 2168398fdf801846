"""A sink as its owner sees it: receivers in processes of their own, and what they have counted."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Final

from vivace.errors import ConfigurationError
from vivace.send.process import start_process
from vivace.send.shared import Words, shared_words, words_of
from vivace.send.sink.counts import COUNTERS, FAULTS, Counter, SinkCounts
from vivace.send.sink.distinct import TraceCounter, distinct
from vivace.send.sink.receiver import Receiver
from vivace.send.sink.settings import Counting, SinkSettings

START_SECONDS: Final = 30.0


class Sink:
    """A context manager: entered, it runs; left, it has stopped."""

    def __init__(self, settings: SinkSettings | None = None) -> None:
        self._settings = settings or SinkSettings()
        self._context = multiprocessing.get_context("spawn")
        self._processes: list[BaseProcess] = []
        self._orders: list[Connection] = []
        self._counts: list[Words] = []
        self._traces: list[TraceCounter] = []
        self.addresses = self._settings.addresses

    @property
    def address(self) -> str:
        """The first; true once the sink listens."""
        return self.addresses[0]

    def start(self) -> str:
        """Returns the true host:port once the sink listens; ConfigurationError when the address cannot be taken."""
        for process in range(self._settings.processes):
            self.addresses = self._start_one(process)
        return self.address

    def counts(self) -> SinkCounts:
        """May be called at any time, also after stop()."""
        sums = {counter: sum(counts[counter] for counts in self._counts) for counter in Counter}
        items = self._settings.counting >= Counting.ITEMS
        traces = distinct(self._traces, self._settings.most_traces) if self._traces else None
        return SinkCounts(
            requests=sums[Counter.REQUESTS],
            bytes=sums[Counter.BYTES],
            spans=sums[Counter.SPANS] if items else None,
            points=sums[Counter.POINTS] if items else None,
            records=sums[Counter.RECORDS] if items else None,
            traces=None if traces is None else traces.number,
            traces_exact=None if traces is None else traces.exact,
            faults={counter.name.lower(): sums[counter] for counter in FAULTS},
        )

    def pids(self) -> list[int]:
        """The receivers' process IDs."""
        return [process.pid for process in self._processes if process.pid is not None]

    def stop(self) -> None:
        """Ends the receivers at once; requests that are arriving get no answer."""
        for order in self._orders:
            order.close()
        for process in self._processes:
            process.join()
        self._orders.clear()
        self._processes.clear()

    def __enter__(self) -> Sink:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_one(self, process: int) -> tuple[str, ...]:
        settings = self._settings
        traced = settings.counting is Counting.TRACES
        size = COUNTERS + (TraceCounter.size(settings.most_traces) if traced else 0)
        shared = shared_words(self._context, size)
        ours, theirs = self._context.Pipe()
        receiver = Receiver(settings, self.addresses, process)
        started = start_process(self._context, "vivace-sink", receiver.run, shared, theirs)
        theirs.close()
        self._processes.append(started)
        self._orders.append(ours)
        words = words_of(shared)
        self._counts.append(words[:COUNTERS])
        if traced:
            self._traces.append(TraceCounter(words[COUNTERS:], settings.most_traces))
        taken = _answer(ours)
        if taken is None:
            self.stop()
            places = " and ".join(self.addresses)
            raise ConfigurationError(f"sink: cannot listen on {places}; choose a free host:port, or port 0")
        return taken


def _answer(orders: Connection) -> tuple[str, ...] | None:
    """The addresses that a starting receiver took; None when it could not."""
    try:
        answer = orders.recv() if orders.poll(START_SECONDS) else None
    except EOFError:
        return None
    return answer if isinstance(answer, tuple) else None
