"""Several endpoints, tokens that change, and the check before a run."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests.send.exporting import answers_of, answers_over, exporter_over, in_flight
from tests.send.requests import trace_request
from tests.send.servers import acknowledge, grpc_server, nobody, socket_server

from vivace.errors import TargetError
from vivace.send.answer import Outcome
from vivace.send.check import check_connection
from vivace.send.sink import Faults, Sink, SinkSettings
from vivace.send.transport import OtlpProtocol, Transport
from vivace.telemetry.template import Signal

PROTOCOLS = list(OtlpProtocol)
REQUEST = trace_request(2)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink(SinkSettings(other_address="127.0.0.1:0")) as sink:
        yield sink


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_requests_go_to_the_endpoints_in_turn(sink: Sink, protocol: OtlpProtocol) -> None:
    with Sink() as second:
        before = sink.counts().requests
        answers = answers_over(*[REQUEST] * 60, endpoints=(sink.address, second.address), protocol=protocol)
        assert {answer.outcome for answer in answers} == {Outcome.ACKNOWLEDGED}
        assert (sink.counts().requests - before, second.counts().requests) == (30, 30)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_endpoint_that_is_down_fails_its_own_requests_alone(sink: Sink, protocol: OtlpProtocol) -> None:
    with (
        nobody() as absent,
        exporter_over(Transport(endpoints=(sink.address, absent), protocol=protocol), connect_s=0.2) as exporter,
    ):
        assert exporter.connected
        assert list(exporter.troubles()) == [absent]
        for _ in range(3):
            answers = answers_of(exporter, *[REQUEST] * 10)
            assert [answer.outcome for answer in answers] == [Outcome.ACKNOWLEDGED, Outcome.FAILED] * 5
            assert {answer.status for answer in answers[1::2]} == {"UNAVAILABLE"}


def test_an_endpoint_that_ends_in_mid_run_fails_its_own_requests_alone(sink: Sink) -> None:
    with Sink() as mortal, exporter_over(Transport(endpoints=(sink.address, mortal.address))) as exporter:
        assert {answer.outcome for answer in answers_of(exporter, *[REQUEST] * 4)} == {Outcome.ACKNOWLEDGED}
        mortal.stop()
        time.sleep(0.05)
        exporter.wait(0)
        answers = answers_of(exporter, *[REQUEST] * 10)
        assert [answer.outcome for answer in answers[::2]] == [Outcome.ACKNOWLEDGED] * 5
        assert Outcome.ACKNOWLEDGED not in {answer.outcome for answer in answers[1::2]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_both_addresses_of_a_sink_take_every_protocol(sink: Sink, protocol: OtlpProtocol) -> None:
    answers = answers_over(*[REQUEST] * 4, endpoints=sink.addresses, protocol=protocol)
    assert {answer.outcome for answer in answers} == {Outcome.ACKNOWLEDGED}


def test_a_token_is_read_again_when_it_changes(tmp_path: Path) -> None:
    seen: list[str] = []

    def judge(_request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append(str(dict(context.invocation_metadata() or ())["authorization"]))
        if seen[-1] == "Bearer expired":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token has expired")
        return b""

    token = tmp_path / "token"
    token.write_text("expired\n")
    with (
        grpc_server(judge) as endpoint,
        exporter_over(Transport(endpoints=(endpoint,), token_file=token)) as exporter,
    ):
        [refused] = answers_of(exporter, REQUEST)
        assert (refused.outcome, refused.status, refused.retryable) == (Outcome.FAILED, "UNAUTHENTICATED", False)
        assert refused.message == "the token has expired"
        replace(token, "fresh")
        give_up = time.monotonic() + 20
        while (answer := answers_of(exporter, REQUEST)[0]).outcome is Outcome.FAILED:
            assert time.monotonic() < give_up
            exporter.wait(0.05)
        assert answer.outcome is Outcome.ACKNOWLEDGED
        replace(token, "")
        assert exporter.wait(0.7) == []
        assert answers_of(exporter, REQUEST)[0].outcome is Outcome.ACKNOWLEDGED
    assert set(seen) == {"Bearer expired", "Bearer fresh"}


def replace(path: Path, content: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content)
    os.replace(new, path)  # noqa: PTH105 - the way of a mounted secret


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_check_passes_where_requests_are_taken(sink: Sink, protocol: OtlpProtocol) -> None:
    for signal in Signal:
        check_connection(Transport(endpoints=sink.addresses, protocol=protocol), signal)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_check_names_every_endpoint_that_is_of_no_use(sink: Sink, protocol: OtlpProtocol) -> None:
    with nobody() as first, nobody() as second:
        transport = Transport(endpoints=(first, sink.address, second), protocol=protocol)
        with pytest.raises(TargetError) as caught:
            check_connection(transport, Signal.TRACES, seconds=0.3)
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [first, second]
    assert all("Connection refused; see that the target runs there" in line for line in lines)


@pytest.mark.parametrize(
    ("protocol", "status", "words"),
    [
        (OtlpProtocol.GRPC, "UNAUTHENTICATED", "UNAUTHENTICATED: refused on purpose; give a valid token or header"),
        (OtlpProtocol.HTTP_PROTOBUF, "401", "HTTP 401: refused on purpose; give a valid token or header"),
        (OtlpProtocol.HTTP_JSON, "403", "HTTP 403: refused on purpose; give a token or header that may write"),
        (OtlpProtocol.GRPC, "UNIMPLEMENTED", "give an endpoint that takes this signal and compression"),
        (OtlpProtocol.HTTP_PROTOBUF, "404", "give the endpoint's prefix, or one that takes this signal"),
    ],
)
def test_a_check_says_what_to_do_about_a_refusal(protocol: OtlpProtocol, status: str, words: str) -> None:
    with Sink(SinkSettings(faults=Faults(refuse=1.0, refuse_status=status))) as sink:
        transport = Transport(endpoints=(sink.address,), protocol=protocol)
        with pytest.raises(TargetError) as caught:
            check_connection(transport, Signal.TRACES)
    assert str(caught.value).startswith(f"{sink.address}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("faults", [Faults(throttle=1.0), Faults(refuse=1.0, refuse_status="INTERNAL")])
def test_a_check_leaves_what_may_pass_to_the_run(faults: Faults) -> None:
    with Sink(SinkSettings(faults=faults)) as sink:
        for protocol in PROTOCOLS:
            check_connection(Transport(endpoints=(sink.address,), protocol=protocol), Signal.TRACES)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_half_open_endpoint_is_found_out(protocol: OtlpProtocol) -> None:
    words = r"the target says nothing|no answer within 0\.3 s"
    with socket_server(lambda _connection: time.sleep(1)) as endpoint, pytest.raises(TargetError, match=words):
        check_connection(Transport(endpoints=(endpoint,), protocol=protocol), Signal.TRACES, seconds=0.3)


def test_grpc_to_a_server_of_http_is_told_so() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    with socket_server(answer) as endpoint, pytest.raises(TargetError, match="set protocol: http/protobuf"):
        check_connection(Transport(endpoints=(endpoint,)), Signal.TRACES)


def test_http_to_a_server_of_grpc_is_told_so() -> None:
    with grpc_server(acknowledge) as endpoint:
        transport = Transport(endpoints=(endpoint,), protocol=OtlpProtocol.HTTP_PROTOBUF)
        with pytest.raises(TargetError, match="set protocol: grpc"):
            check_connection(transport, Signal.TRACES)


def test_more_requests_than_connections_wait_for_one() -> None:
    with Sink(SinkSettings(faults=Faults(delay=1.0, delay_s=0.2))) as sink:
        answers = answers_over(*[REQUEST] * 600, endpoints=(sink.address,), protocol=OtlpProtocol.HTTP_PROTOBUF)
        assert {answer.outcome for answer in answers} == {Outcome.ACKNOWLEDGED}
        assert sink.counts().requests == 600


def test_requests_that_wait_for_a_connection_time_out_unsent() -> None:
    with Sink(SinkSettings(faults=Faults(hang=1.0))) as sink:
        answers = answers_over(
            *[REQUEST] * 400, endpoints=(sink.address,), protocol=OtlpProtocol.HTTP_PROTOBUF, timeout_s=0.5
        )
    assert {(answer.outcome, answer.status) for answer in answers} == {
        (Outcome.UNKNOWN, "DEADLINE_EXCEEDED"),
        (Outcome.FAILED, "DEADLINE_EXCEEDED"),
    }
    assert sum(answer.outcome is Outcome.FAILED for answer in answers) <= 400 - 256


def test_a_request_that_cannot_be_written_as_json_fails(sink: Sink) -> None:
    answers = answers_over(b"\x0a\xff", REQUEST, endpoints=(sink.address,), protocol=OtlpProtocol.HTTP_JSON)
    assert [answer.outcome for answer in answers] == [Outcome.FAILED, Outcome.ACKNOWLEDGED]
    assert "cannot be written" in (answers[0].message or "")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_closing_leaves_what_is_in_flight_unknown(protocol: OtlpProtocol) -> None:
    with (
        Sink(SinkSettings(faults=Faults(hang=1.0))) as sink,
        exporter_over(Transport(endpoints=(sink.address,), protocol=protocol)) as exporter,
    ):
        exporter.export(REQUEST, in_flight(5))
        assert exporter.wait(0.2) == []
        exporter.close()
        [ended] = exporter.wait(0)
    assert (ended.request.number, ended.answer.outcome) == (5, Outcome.UNKNOWN)
