"""TLS: with whom it comes about, and the one line about why it does not."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.send.certificates import Authority
from tests.send.exporting import answers_of, answers_over, exporter_over
from tests.send.requests import trace_request
from tests.send.servers import nobody, socket_server

from vivace.errors import ConfigurationError, TargetError
from vivace.send.answer import Answer, Outcome
from vivace.send.check import check_connection
from vivace.send.sink import Faults, ServerTls, Sink, SinkSettings
from vivace.send.transport import Compression, OtlpProtocol, Tls, Transport
from vivace.telemetry.template import Signal

PROTOCOLS = list(OtlpProtocol)
REQUEST = trace_request(5)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom nobody trusts."""
    return Authority(tmp_path_factory.mktemp("other"))


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[str]:
    with sink_with(authority.server("server", "localhost", "127.0.0.1")) as sink:
        yield sink.address


@pytest.fixture(scope="module")
def mutual(authority: Authority) -> Iterator[str]:
    with sink_with(authority.server("mutual", "127.0.0.1", client_ca=authority.file)) as sink:
        yield sink.address


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    with Sink() as sink:
        yield sink.address


def sink_with(tls: ServerTls) -> Sink:
    return Sink(SinkSettings(tls=tls))


def refusal(transport: Transport, seconds: float = 5.0) -> str:
    """The line of a check that fails; the same words come with the outcome of a request."""
    with pytest.raises(TargetError) as caught:
        check_connection(transport, Signal.TRACES, seconds)
    line = str(caught.value)
    assert "\n" not in line
    assert "; " in line
    return line


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.GZIP])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_requests_of_any_size_arrive_over_tls(
    secure: str, authority: Authority, protocol: OtlpProtocol, compression: Compression
) -> None:
    transport = Transport(
        endpoints=(secure,), protocol=protocol, tls=Tls(ca_file=authority.file), compression=compression
    )
    check_connection(transport, Signal.TRACES)
    with exporter_over(transport) as exporter:
        answers = answers_of(exporter, *[REQUEST] * 50, trace_request(30_000), trace_request(60_000))
    assert set(answers) == {Answer(Outcome.ACKNOWLEDGED, "OK")}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_with_a_certificate_is_let_in(mutual: str, authority: Authority, protocol: OtlpProtocol) -> None:
    cert, key = authority.issue("client", "client")
    tls = Tls(ca_file=authority.file, cert_file=cert, key_file=key)
    [answer] = answers_over(REQUEST, endpoints=(mutual,), protocol=protocol, tls=tls)
    assert answer.outcome is Outcome.ACKNOWLEDGED


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_without_a_certificate_is_told_so(mutual: str, authority: Authority, protocol: OtlpProtocol) -> None:
    transport = Transport(endpoints=(mutual,), protocol=protocol, tls=Tls(ca_file=authority.file))
    assert "asks for a client certificate; give cert_file and key_file" in refusal(transport)


def test_a_client_with_the_wrong_certificate_is_told_so(mutual: str, authority: Authority, other: Authority) -> None:
    cert, key = other.issue("client", "client")
    tls = Tls(ca_file=authority.file, cert_file=cert, key_file=key)
    assert "does not accept our certificate" in refusal(Transport(endpoints=(mutual,), tls=tls))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_unknown_authority(secure: str, other: Authority, protocol: OtlpProtocol) -> None:
    transport = Transport(endpoints=(secure,), protocol=protocol, tls=Tls(ca_file=other.file))
    assert "an authority that is not trusted; give the authority's as ca_file" in refusal(transport)
    [answer] = answers_over(REQUEST, endpoints=(secure,), protocol=protocol, tls=Tls(ca_file=other.file))
    assert (answer.outcome, answer.status) == (Outcome.FAILED, "UNAVAILABLE")
    assert "not trusted" in (answer.message or "")


def test_the_systems_authorities_do_not_know_ours(secure: str) -> None:
    assert "not trusted" in refusal(Transport(endpoints=(secure,), tls=Tls()))


def test_a_certificate_for_another_name(authority: Authority) -> None:
    with sink_with(authority.server("elsewhere", "elsewhere.example")) as sink:
        tls = Tls(ca_file=authority.file)
        assert "is not for 127.0.0.1; give server_name" in refusal(Transport(endpoints=(sink.address,), tls=tls))
        by_name = sink.address.replace("127.0.0.1", "localhost")
        assert "is not for localhost; give server_name" in refusal(Transport(endpoints=(by_name,), tls=tls))
        named = Tls(ca_file=authority.file, server_name="elsewhere.example")
        check_connection(Transport(endpoints=(sink.address,), tls=named), Signal.TRACES)


def test_an_expired_certificate(authority: Authority) -> None:
    with sink_with(authority.server("expired", "127.0.0.1", days=-1)) as sink:
        transport = Transport(endpoints=(sink.address,), tls=Tls(ca_file=authority.file))
        assert "has expired; renew it" in refusal(transport)


def test_a_certificate_from_the_future(authority: Authority) -> None:
    with sink_with(authority.server("future", "127.0.0.1", days=30)) as sink:
        transport = Transport(endpoints=(sink.address,), tls=Tls(ca_file=authority.file))
        assert "is not valid yet; set the clocks" in refusal(transport)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_target_without_tls(plain: str, authority: Authority, protocol: OtlpProtocol) -> None:
    transport = Transport(endpoints=(plain,), protocol=protocol, tls=Tls(ca_file=authority.file))
    assert re.search("does not speak TLS there; set insecure: true|closed by the target", refusal(transport))


def test_a_target_that_answers_plaintext_to_a_handshake(authority: Authority) -> None:
    def answer_plainly(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    with socket_server(answer_plainly) as endpoint:
        transport = Transport(endpoints=(endpoint,), tls=Tls(ca_file=authority.file))
        assert "does not speak TLS there; set insecure: true" in refusal(transport)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_target_with_tls_that_is_spoken_to_in_plaintext(secure: str, protocol: OtlpProtocol) -> None:
    words = "leave out insecure: true"
    assert re.search(words, refusal(Transport(endpoints=(secure,), protocol=protocol), seconds=1.0))


def test_a_target_that_sends_an_alert_to_plaintext() -> None:
    def alert(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")

    for protocol in PROTOCOLS:
        with socket_server(alert) as endpoint:
            line = refusal(Transport(endpoints=(endpoint,), protocol=protocol))
            assert "speaks TLS there; leave out insecure: true" in line


def test_a_handshake_that_never_ends(authority: Authority) -> None:
    with socket_server(lambda _connection: time.sleep(2)) as endpoint:
        transport = Transport(endpoints=(endpoint,), tls=Tls(ca_file=authority.file))
        assert "the target says nothing" in refusal(transport, seconds=0.4)


def test_nobody_is_there(authority: Authority) -> None:
    with nobody() as endpoint:
        transport = Transport(endpoints=(endpoint,), tls=Tls(ca_file=authority.file))
        assert "Connection refused; see that the target runs there" in refusal(transport, seconds=0.3)


def test_connections_that_are_dropped_over_tls_leave_the_outcome_unknown(authority: Authority) -> None:
    settings = SinkSettings(tls=authority.server("dropping", "127.0.0.1"), faults=Faults(drop=1.0))
    with Sink(settings) as sink:
        [answer] = answers_over(REQUEST, endpoints=(sink.address,), tls=Tls(ca_file=authority.file))
    assert answer.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "holds no certificate"), (b"nonsense", "holds no certificate")],
)
def test_a_file_without_certificates(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words):
        Transport(endpoints=("h:1",), tls=Tls(ca_file=path))


def test_a_key_of_another_certificate(authority: Authority) -> None:
    cert, _ = authority.issue("one", "one")
    _, key = authority.issue("two", "two")
    with pytest.raises(ConfigurationError, match="do not belong together; give a PEM certificate and its plain key"):
        Transport(endpoints=("h:1",), tls=Tls(cert_file=cert, key_file=key))
