"""A null receiver: takes OTLP over gRPC, counts it and forgets it; what a sender can reach at best."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from signal import SIG_IGN, SIGINT
from signal import signal as on_signal
from time import monotonic, sleep
from types import TracebackType
from typing import Final

import grpc
import numpy as np

from vivace.errors import ConfigurationError, TemplateError
from vivace.send.protocol import METHODS, UNLIMITED_MESSAGES
from vivace.send.shared import SharedWords, Words, shared_words, words_of
from vivace.telemetry.template import Signal
from vivace.telemetry.wire import Message, scan

START_SECONDS: Final = 30.0
REQUESTS, BYTES, SPANS = range(3)
COUNTERS: Final = 3

SPANS_ONLY: Final = Message(
    {1: ("resource_spans", Message({2: ("scope_spans", Message({2: ("spans", Message({}))}))}))}
)


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
        totals = [sum(counts[counter] for counts in self._counts) for counter in range(COUNTERS)]
        return SinkCounts(totals[REQUESTS], totals[BYTES], totals[SPANS] if self._settings.count_spans else None)

    def pids(self) -> list[int]:
        """The receivers' process IDs."""
        return [process.pid for process in self._processes if process.pid is not None]

    def stop(self) -> None:
        """Ends the receivers at once; requests they are reading get no answer."""
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
        receiver = _Receiver(address, self._settings.count_spans, self._settings.processes > 1)
        process = self._context.Process(target=receiver.run, args=(shared, theirs), name="vivace-sink", daemon=True)
        process.start()
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


@dataclass(frozen=True, slots=True)
class _Receiver:
    """What runs in a receiver's process."""

    address: str
    count_spans: bool
    share_port: bool

    def run(self, shared: SharedWords, orders: Connection) -> None:
        """Receives until the other end of `orders` is closed; the parent decides what Ctrl-C means."""
        on_signal(SIGINT, SIG_IGN)
        options = (*UNLIMITED_MESSAGES, ("grpc.so_reuseport", int(self.share_port)))
        server = grpc.server(ThreadPoolExecutor(1), options=options)  # one thread counts, so no lock
        server.add_generic_rpc_handlers((_Exports(words_of(shared), self.count_spans),))
        try:
            port = server.add_insecure_port(self.address)
        except RuntimeError:
            orders.send(None)
            return
        server.start()
        orders.send(f"{self.address.rpartition(':')[0]}:{port}")
        with suppress(EOFError):
            orders.recv()
        server.stop(grace=None).wait()


class _Exports(grpc.GenericRpcHandler):
    """Answers every OTLP export with success, reading nothing but what is to be counted."""

    def __init__(self, counts: Words, count_spans: bool) -> None:
        self._counts = counts
        traces = self._count_with_spans if count_spans else self._count
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            method: grpc.unary_unary_rpc_method_handler(traces if signal is Signal.TRACES else self._count)
            for signal, method in METHODS.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        return self._handlers.get(handler_call_details.method)

    def _count(self, request: bytes, context: grpc.ServicerContext) -> bytes:  # noqa: ARG002 - gRPC's signature
        self._counts[REQUESTS] += 1
        self._counts[BYTES] += len(request)
        return b""

    def _count_with_spans(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            self._counts[SPANS] += span_count(request)
        except TemplateError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return self._count(request, context)


def span_count(request: bytes) -> int:
    """Spans in an ExportTraceServiceRequest; TemplateError when it is none."""
    found = scan(np.frombuffer(request, np.uint8), SPANS_ONLY, "request")
    return found["spans"].start.size
