"""The exporter against real servers: what each way to answer, or not to, comes to."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from tests.send.servers import acknowledge, grpc_server, hanging_server, nobody, socket_server

from vivace.send.answer import Answer, Outcome
from vivace.send.export import open_exporter
from vivace.send.exporter import Exporter
from vivace.send.http2.frames import Code, Kind, Setting, frame, settings
from vivace.send.request import InFlight
from vivace.send.transport import Transport
from vivace.telemetry.template import Signal

PAYLOAD = b"payload" * 100


@contextmanager
def exporter_to(
    endpoint: str, timeout_s: float = 10.0, headers: dict[str, str] | None = None, signal: Signal = Signal.TRACES
) -> Iterator[Exporter]:
    exporter = open_exporter(Transport(endpoints=(endpoint,), timeout_s=timeout_s, headers=headers or {}), signal)
    try:
        yield exporter
    finally:
        exporter.close()


def export(exporter: Exporter, *payloads: bytes) -> list[Answer]:
    """Exports all at once; gives the answers in the order of the payloads."""
    for number, payload in enumerate(payloads):
        exporter.export(payload, InFlight(number, 0, 0, 0, 0))
    answers: dict[int, Answer] = {}
    give_up = time.monotonic() + 30
    while len(answers) < len(payloads):
        assert time.monotonic() < give_up, f"no end of {len(payloads) - len(answers)} requests"
        answers |= {ended.request.number: ended.answer for ended in exporter.wait(1.0)}
    return [answers[number] for number in range(len(payloads))]


def export_to(server: AbstractContextManager[str], *payloads: bytes, timeout_s: float = 10.0) -> list[Answer]:
    """The answers of a server that runs for this alone."""
    with server as endpoint, exporter_to(endpoint, timeout_s) as exporter:
        exporter.connect(1.0)
        return export(exporter, *payloads)


def test_bytes_and_headers_arrive_as_they_are() -> None:
    seen: list[tuple[bytes, dict[str, str | bytes]]] = []

    def keep(request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append((request, dict(context.invocation_metadata() or ())))
        return b""

    with grpc_server(keep) as endpoint, exporter_to(endpoint, headers={"X-Scope-OrgID": "tenant-1"}) as exporter:
        answers = export(exporter, b"", b"one", PAYLOAD)
    assert {answer.outcome for answer in answers} == {Outcome.ACKNOWLEDGED}
    assert sorted(payload for payload, _ in seen) == sorted([b"", b"one", PAYLOAD])
    assert all(metadata["x-scope-orgid"] == "tenant-1" for _, metadata in seen)
    assert all(str(metadata["user-agent"]).startswith("vivace/") for _, metadata in seen)


@pytest.mark.parametrize("signal", list(Signal))
def test_every_signal_has_its_method(signal: Signal) -> None:
    with grpc_server(acknowledge) as endpoint, exporter_to(endpoint, signal=signal) as exporter:
        assert export(exporter, PAYLOAD)[0].outcome is Outcome.ACKNOWLEDGED


def test_large_requests_pass_flow_control_in_both_directions() -> None:
    payloads = [bytes([number]) * (3_000_000 + number) for number in range(6)]
    seen: list[bytes] = []

    def keep(request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append(request)
        partial = ExportTracePartialSuccess(error_message="m" * 2_000_000)
        return ExportTraceServiceResponse(partial_success=partial).SerializeToString()

    answers = export_to(grpc_server(keep), *payloads)
    assert sorted(seen) == payloads
    assert {answer.outcome for answer in answers} == {Outcome.ACKNOWLEDGED}


def test_many_requests_over_one_connection() -> None:
    counts: dict[bytes, int] = {}
    lock = threading.Lock()

    def count(request: bytes, context: grpc.ServicerContext) -> bytes:
        with lock:
            counts[request] = counts.get(request, 0) + 1
        return b""

    payloads = [b"%d" % number * 50 for number in range(500)]
    answers = export_to(grpc_server(count), *payloads)
    assert {answer.outcome for answer in answers} == {Outcome.ACKNOWLEDGED}
    assert counts == dict.fromkeys(payloads, 1)


def test_a_partial_success_counts_what_was_rejected() -> None:
    partial = ExportTracePartialSuccess(rejected_spans=7, error_message="too old")
    response = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    [answer] = export_to(grpc_server(lambda _request, _context: response), PAYLOAD)
    assert answer == Answer(Outcome.ACKNOWLEDGED, "OK", "too old", 7)


def test_an_answer_that_nobody_can_read_leaves_the_outcome_unknown() -> None:
    [answer] = export_to(grpc_server(lambda _request, _context: b"\xff\xff"), PAYLOAD)
    assert (answer.outcome, answer.status) == (Outcome.UNKNOWN, "OK")
    assert "not an OTLP export response" in (answer.message or "")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Outcome.FAILED),
        (grpc.StatusCode.UNAVAILABLE, Outcome.FAILED),
        (grpc.StatusCode.INVALID_ARGUMENT, Outcome.FAILED),
        (grpc.StatusCode.UNAUTHENTICATED, Outcome.FAILED),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Outcome.UNKNOWN),
        (grpc.StatusCode.CANCELLED, Outcome.UNKNOWN),
    ],
)
def test_a_status_comes_with_the_targets_own_words(code: grpc.StatusCode, outcome: Outcome) -> None:
    words = "RATE_LIMITED: 100 % of 30 MB/s, mäßig"
    [answer] = export_to(grpc_server(lambda _request, context: context.abort(code, words)), PAYLOAD)
    retryable = code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
    assert answer == Answer(outcome, code.name, words, retryable=retryable)


def test_a_server_that_fails_inside_is_a_failure() -> None:
    def fail(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_code(grpc.StatusCode.INTERNAL)
        context.set_details("disk full")
        return b""

    [answer] = export_to(grpc_server(fail), PAYLOAD)
    assert answer == Answer(Outcome.FAILED, "INTERNAL", "disk full")


def test_a_server_that_hangs_leaves_the_outcome_unknown() -> None:
    server = hanging_server(lambda request: request == b"hang")
    hung, fine = export_to(server, b"hang", b"fine", timeout_s=0.5)
    assert (hung.outcome, hung.status) == (Outcome.UNKNOWN, "DEADLINE_EXCEEDED")
    assert fine.outcome is Outcome.ACKNOWLEDGED


def test_a_refused_connection_is_a_failure_at_once() -> None:
    answers = export_to(nobody(), PAYLOAD, PAYLOAD)
    assert {(answer.outcome, answer.status) for answer in answers} == {(Outcome.FAILED, "UNAVAILABLE")}
    assert "refused" in (answers[0].message or "")


def test_a_host_without_an_address_is_a_failure() -> None:
    [answer] = export_to(nullcontext("nowhere.invalid:4317"), PAYLOAD)
    assert answer.outcome is Outcome.FAILED
    assert "failed to resolve nowhere.invalid:4317" in (answer.message or "")


def greet(connection: socket.socket) -> None:
    connection.sendall(settings({}))


def reset_connection(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_request(connection: socket.socket) -> None:
    """Until the payload has come."""
    seen = b""
    while PAYLOAD not in seen:
        data = connection.recv(65536)
        if not data:
            raise ConnectionResetError
        seen += data


def after_reading(then: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        greet(connection)
        read_request(connection)
        then(connection)

    return behave


def send_reset(code: int) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(frame(Kind.RST_STREAM, stream=1, payload=struct.pack(">I", code)))


def goaway(last_stream: int) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        connection.sendall(frame(Kind.GOAWAY, payload=struct.pack(">II", last_stream, 0)))
        connection.close()

    return behave


@pytest.mark.parametrize(
    ("behave", "outcome", "words"),
    [
        pytest.param(lambda connection: connection.close(), Outcome.FAILED, "lost", id="closed at once"),
        pytest.param(after_reading(lambda it: it.close()), Outcome.UNKNOWN, "lost", id="closed after reading"),
        pytest.param(after_reading(reset_connection), Outcome.UNKNOWN, "lost", id="reset after reading"),
        pytest.param(after_reading(send_reset(Code.CANCEL)), Outcome.UNKNOWN, "code 8", id="stream reset"),
        pytest.param(after_reading(send_reset(Code.REFUSED_STREAM)), Outcome.FAILED, "not look", id="stream refused"),
        pytest.param(after_reading(goaway(0)), Outcome.FAILED, "not look", id="going away without it"),
        pytest.param(after_reading(goaway(1)), Outcome.UNKNOWN, "closed by the target", id="going away with it"),
        pytest.param(
            lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
            Outcome.FAILED,
            "connection given up",
            id="not HTTP/2",
        ),
    ],
)
def test_a_lost_request_is_unknown_only_when_all_of_it_was_sent(
    behave: Callable[[socket.socket], None], outcome: Outcome, words: str
) -> None:
    with socket_server(behave) as endpoint, exporter_to(endpoint) as exporter:
        [answer] = export(exporter, PAYLOAD)
    assert answer.outcome is outcome
    assert words in (answer.message or "")


def test_what_does_not_fit_through_cannot_have_arrived() -> None:
    def stall(connection: socket.socket) -> None:
        connection.sendall(settings({Setting.INITIAL_WINDOW_SIZE: 10}))
        connection.recv(65536)
        time.sleep(0.2)
        connection.close()

    [answer] = export_to(socket_server(stall), PAYLOAD)
    assert (answer.outcome, answer.status) == (Outcome.FAILED, "UNAVAILABLE")
    assert "before all was sent" in (answer.message or "")


def test_a_server_that_never_speaks_gets_nothing() -> None:
    [answer] = export_to(socket_server(lambda _connection: time.sleep(2)), PAYLOAD, timeout_s=0.3)
    assert (answer.outcome, answer.status) == (Outcome.FAILED, "DEADLINE_EXCEEDED")


def test_a_connection_that_was_lost_is_made_anew() -> None:
    """The first connection breaks; the second is passed on to a server that works."""
    connections: list[socket.socket] = []

    def behave(connection: socket.socket) -> None:
        connections.append(connection)
        if len(connections) == 1:
            after_reading(lambda it: it.close())(connection)
            return
        host, port = behind.split(":")
        with socket.create_connection((host, int(port))) as other:
            back = threading.Thread(target=pump, args=(other, connection))
            back.start()
            pump(connection, other)
            back.join()

    with grpc_server(acknowledge) as behind, socket_server(behave) as endpoint, exporter_to(endpoint) as exporter:
        assert export(exporter, PAYLOAD)[0].outcome is Outcome.UNKNOWN
        assert export(exporter, PAYLOAD)[0].outcome is Outcome.ACKNOWLEDGED
        exporter.close()
    assert len(connections) == 2


def pump(source: socket.socket, drain: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            drain.sendall(data)
    with suppress(OSError):
        drain.shutdown(socket.SHUT_RDWR)


def test_a_target_that_appears_later_is_found() -> None:
    with nobody() as endpoint:
        pass
    with exporter_to(endpoint) as exporter:
        assert export(exporter, PAYLOAD)[0].outcome is Outcome.FAILED
        with grpc_server(acknowledge, endpoint):
            assert exporter.connect(5.0)
            assert export(exporter, PAYLOAD)[0].outcome is Outcome.ACKNOWLEDGED


def test_a_server_that_ends_in_the_middle_and_comes_back() -> None:
    def slow(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        began.set()
        time.sleep(1)
        return b""

    began = threading.Event()
    with nobody() as endpoint:
        pass
    with exporter_to(endpoint) as exporter:
        with grpc_server(slow, endpoint):
            exporter.connect(5.0)
            exporter.export(PAYLOAD, InFlight(1, 0, 0, 0, 0))
            assert exporter.wait(0.1) == []
            assert began.wait(10)
        assert [ended.answer.outcome for ended in exporter.wait(5.0)] == [Outcome.UNKNOWN]
        with grpc_server(acknowledge, endpoint):
            exporter.connect(5.0)
            assert export(exporter, PAYLOAD)[0].outcome is Outcome.ACKNOWLEDGED


def test_closing_leaves_what_is_in_flight_unknown() -> None:
    with hanging_server(lambda _request: True) as endpoint, exporter_to(endpoint) as exporter:
        exporter.connect(5.0)
        exporter.export(PAYLOAD, InFlight(5, 0, 0, 0, 0))
        assert exporter.wait(0.1) == []
        exporter.close()
        [ended] = exporter.wait(0)
    assert (ended.request.number, ended.answer.outcome) == (5, Outcome.UNKNOWN)


def test_localhost_is_found_whatever_its_addresses() -> None:
    with grpc_server(acknowledge) as endpoint:
        [answer] = export_to(nullcontext(endpoint.replace("127.0.0.1", "localhost")), PAYLOAD)
    assert answer.outcome is Outcome.ACKNOWLEDGED
