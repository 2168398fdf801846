"""Exports for tests: all at once, with their answers in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vivace.send.answer import Answer
from vivace.send.export import open_exporter
from vivace.send.exporter import Exporter
from vivace.send.request import InFlight
from vivace.send.transport import Compression, OtlpProtocol, Transport
from vivace.telemetry.template import Signal

WAYS = [(protocol, compression) for protocol in OtlpProtocol for compression in Compression]


def in_flight(number: int) -> InFlight:
    return InFlight(number=number, due_ns=0, started_ns=0, t0_ns=0, place=0)


@contextmanager
def exporter_over(transport: Transport, signal: Signal = Signal.TRACES, connect_s: float = 1.0) -> Iterator[Exporter]:
    exporter = open_exporter(transport, signal)
    try:
        exporter.connect(connect_s)
        yield exporter
    finally:
        exporter.close()


def answers_of(exporter: Exporter, *payloads: bytes) -> list[Answer]:
    """Exports all at once; gives the answers in the order of the payloads."""
    for number, payload in enumerate(payloads):
        exporter.export(payload, in_flight(number))
    answers: dict[int, Answer] = {}
    give_up = time.monotonic() + 30
    while len(answers) < len(payloads):
        assert time.monotonic() < give_up, f"no end of {len(payloads) - len(answers)} requests"
        answers |= {ended.request.number: ended.answer for ended in exporter.wait(1.0)}
    return [answers[number] for number in range(len(payloads))]


def answers_over(*payloads: bytes, signal: Signal = Signal.TRACES, **transport: Any) -> list[Answer]:
    """The same with an exporter for this alone."""
    with exporter_over(Transport(**transport), signal) as exporter:
        return answers_of(exporter, *payloads)
