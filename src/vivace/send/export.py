"""Exports requests over gRPC as raw bytes: nothing is serialised, and an answer is read only when it says something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic_ns
from typing import Final, Protocol, TypeAlias

import grpc

from vivace.send.answer import Answer, answer_of, answer_of_error
from vivace.send.protocol import METHODS, UNLIMITED_MESSAGES
from vivace.telemetry.template import Signal

OPTIONS: Final = (
    *UNLIMITED_MESSAGES,
    ("grpc.enable_retries", 0),  # a request is sent once; what is sent again must be in the ledger again
    ("grpc.enable_http_proxy", 0),  # a proxy would be measured instead of the target
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

Finished: TypeAlias = Callable[[int, Answer], object]
"""Called once, from any thread, with the monotonic nanosecond of a request's end and the answer."""


class Exporter(Protocol):
    """A way to a target. What is exported ends within the timeout, by an answer or without one."""

    def connect(self, seconds: float) -> bool:
        """Waits for a connection, so that the first request need not; False when there is none yet."""
        ...

    def export(self, payload: bytes, finished: Finished) -> None:
        """Starts sending; `finished` is called in the end."""
        ...

    def close(self) -> None:
        """Gives up what is in flight."""
        ...


class GrpcExporter(Exporter):
    """OTLP over gRPC on one connection."""

    def __init__(self, endpoint: str, signal: Signal, timeout_s: float, headers: Mapping[str, str]) -> None:
        self._channel = grpc.insecure_channel(endpoint, options=OPTIONS)
        self._call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(METHODS[signal])
        self._timeout_s = timeout_s
        self._metadata = tuple((name.lower(), value) for name, value in headers.items()) or None

    def connect(self, seconds: float) -> bool:
        with suppress(grpc.FutureTimeoutError):
            grpc.channel_ready_future(self._channel).result(timeout=seconds)
            return True
        return False

    def export(self, payload: bytes, finished: Finished) -> None:
        call = self._call.future(payload, timeout=self._timeout_s, metadata=self._metadata)
        call.add_done_callback(partial(_end, finished))

    def close(self) -> None:
        self._channel.close()


def _end(finished: Finished, call: grpc._CallFuture[bytes]) -> None:
    ended_ns = monotonic_ns()
    code = call.code()
    answer = answer_of(call.result()) if code is grpc.StatusCode.OK else answer_of_error(code, call.details())
    finished(ended_ns, answer)
