"""A null receiver: takes OTLP over gRPC, counts it and forgets it; what a sender can reach at best."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import monotonic, sleep
from types import TracebackType
from typing import Final

from vivace.errors import ConfigurationError
from vivace.send.process import start_process
from vivace.send.receiver import COUNTERS, Counter, Receiver
from vivace.send.shared import Words, shared_words, words_of

START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """Where a sink listens and what it counts."""

    address: str = "127.0.0.1:0"
    """host:port; port 0 takes a free one."""
    count_spans: bool = False
    """Spans are counted by reading the requests, which costs speed."""
    processes: int = 1
    """They share the port; a connection belongs to one of them."""


@dataclass(frozen=True, slots=True)
class SinkCounts:
    """What has arrived since the start."""

    requests: int
    bytes: int
    spans: int | None
    """None when spans are not counted."""


class Sink:
    """Receivers in processes of their own. A context manager: entered, it runs; left, it has stopped."""

    def __init__(self, settings: SinkSettings | None = None) -> None:
        self._settings = settings or SinkSettings()
        self._context = multiprocessing.get_context("spawn")
        self._processes: list[BaseProcess] = []
        self._orders: list[Connection] = []
        self._counts: list[Words] = []
        self.address = self._settings.address

    def start(self) -> str:
        """Returns the true host:port once the sink listens; ConfigurationError when the address cannot be taken."""
        for _ in range(self._settings.processes):
            self.address = self._start_one(self.address)
        return self.address

    def counts(self) -> SinkCounts:
        """May be called at any time, also after stop()."""
        requests, size, spans = (sum(counts[counter] for counts in self._counts) for counter in Counter)
        return SinkCounts(requests, size, spans if self._settings.count_spans else None)

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

    def _start_one(self, address: str) -> str:
        shared = shared_words(self._context, COUNTERS)
        ours, theirs = self._context.Pipe()
        receiver = Receiver(address, self._settings.count_spans, self._settings.processes > 1)
        process = start_process(self._context, "vivace-sink", receiver.run, shared, theirs)
        theirs.close()
        self._processes.append(process)
        self._orders.append(ours)
        self._counts.append(words_of(shared))
        taken = _answer(ours)
        if taken is None:
            self.stop()
            raise ConfigurationError(f"sink: cannot listen on {address}; choose a free host:port, or port 0")
        return taken


def watch(settings: SinkSettings, say: Callable[[str], object]) -> None:
    """Runs a sink until Ctrl-C, says each second what arrives and in the end how much it was."""
    with Sink(settings) as sink:
        say(f"listening on {sink.address} (OTLP over gRPC); Ctrl-C ends")
        try:
            _say_rates(sink, say)
        except KeyboardInterrupt:
            say(f"received {_amount(sink.counts())}")


def _say_rates(sink: Sink, say: Callable[[str], object]) -> None:
    before, since = sink.counts(), monotonic()
    while True:
        sleep(1.0)
        now, counts = monotonic(), sink.counts()
        if counts.requests != before.requests:
            say(f"{(counts.bytes - before.bytes) / (now - since) / 1e6:.1f} MB/s; so far {_amount(counts)}")
        before, since = counts, now


def _amount(counts: SinkCounts) -> str:
    spans = "" if counts.spans is None else f"{counts.spans:,} spans in "
    return f"{spans}{counts.requests:,} requests, {counts.bytes / 1e6:,.1f} MB"


def _answer(orders: Connection) -> str | None:
    """The address that a starting receiver took; None when it could not."""
    try:
        answer = orders.recv() if orders.poll(START_SECONDS) else None
    except EOFError:
        return None
    return answer if isinstance(answer, str) else None
