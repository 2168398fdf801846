from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest
from tests.backend.access.certificates import Certificates
from tests.backend.access.servers import Ports, serving

from vivace.backend.access.access import Access
from vivace.backend.access.connections import Bounds
from vivace.backend.access.tls import ServerTls

SHORT = Bounds(connections=3, request_s=0.5, answer_s=0.5)


def opened(ports: Ports) -> socket.socket:
    return socket.create_connection(("127.0.0.1", ports.http), timeout=20)


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(1 << 20):
        received += part
    return received


def answered(ports: Ports) -> bytes:
    with closing(opened(ports)) as connection:
        try:
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return until_closed(connection)
        except ConnectionError:
            return b""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_request_that_does_not_arrive_is_given_up() -> None:
    with serving(Access(), SHORT) as ports:
        for begun in (
            b"",
            b"GET /hello HTTP/1.1\r\nHost: x\r\n",
            b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
        ):
            with closing(opened(ports)) as connection:
                connection.sendall(begun)
                assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_a_request_that_trickles_is_given_up() -> None:
    with serving(Access(), SHORT) as ports, closing(opened(ports)) as connection:
        connection.sendall(b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        started = time.monotonic()
        try:
            while time.monotonic() < started + 20:
                connection.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            return
        raise AssertionError("never given up")


def test_a_slow_second_request_is_given_up_too() -> None:
    with serving(Access(), SHORT) as ports, closing(opened(ports)) as connection:
        connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1 << 20)
        connection.sendall(b"GET /hel")
        assert b"HTTP/1.1 408 " in until_closed(connection)


def test_a_request_behind_another_is_given_up_too() -> None:
    whole = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
    for begun in (b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", b"GET /hel"):
        with serving(Access(), SHORT) as ports, closing(opened(ports)) as connection:
            connection.sendall(whole + begun)
            assert until_closed(connection).count(b"HTTP/1.1 200 ") == 1


def test_requests_in_time_are_answered_for_longer_than_one_may_take() -> None:
    bounds = Bounds(request_s=1.5)
    with serving(Access(), bounds) as ports, closing(HTTPConnection("127.0.0.1", ports.http, timeout=20)) as connection:
        for _ in range(12):
            connection.putrequest("POST", "/hello")
            connection.putheader("Content-Length", "4")
            connection.endheaders(b"wh")
            time.sleep(0.05)
            connection.send(b"at")
            assert connection.getresponse().read() == b"hello 4 "
            time.sleep(0.1)


def test_a_client_that_takes_no_answer_is_given_up() -> None:
    with serving(Access(), SHORT) as ports, closing(opened(ports)) as connection:
        connection.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2)
        try:
            assert len(until_closed(connection)) < 64 << 20
        except ConnectionError:
            return


def head(size: int) -> bytes:
    begin, end = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: ", b"\r\n\r\n"
    return begin + b"a" * (size - len(begin) - len(end)) + end


def test_large_headers_are_refused_in_words_that_can_be_read() -> None:
    bounds = Bounds(head_bytes=10_000)
    with serving(Access(), bounds) as ports:
        with closing(opened(ports)) as connection:
            connection.sendall(head(10_000))
            assert until_closed(connection).startswith(b"HTTP/1.1 200 ")
        for sent in (head(10_001), head(5_000_000), head(10_001) + bytes(5_000_000)):
            with closing(opened(ports)) as connection:
                connection.sendall(sent)
                answer = until_closed(connection)
            assert answer.startswith(b"HTTP/1.1 431 ")
            assert answer.endswith(b"the request line and the headers are larger than 10000 bytes")


def test_large_headers_are_refused_over_tls(tmp_path: Path) -> None:
    certificates = Certificates.made(tmp_path)
    with serving(Access(ServerTls(certificates.server_cert, certificates.server_key))) as ports:
        connection = HTTPSConnection("127.0.0.1", ports.http, timeout=20, context=certificates.context())
        with closing(connection):
            connection.request("GET", "/hello", headers={"X-Large": "a" * 5_000_000})
            assert connection.getresponse().status == 431


def test_a_second_request_with_large_headers_is_refused_too() -> None:
    with serving(Access(), Bounds(head_bytes=10_000)) as ports, closing(opened(ports)) as connection:
        connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1 << 20).startswith(b"HTTP/1.1 200 ")
        connection.sendall(head(20_000))
        assert b"HTTP/1.1 431 " in until_closed(connection)


def test_what_is_no_request_is_refused_in_words_that_can_be_read() -> None:
    with serving(Access()) as ports, closing(opened(ports)) as connection:
        connection.sendall(b"rubbish\r\n\r\n" + bytes(5_000_000))
        assert until_closed(connection).startswith(b"HTTP/1.1 400 ")


def test_a_body_that_turns_out_bad_is_refused_once() -> None:
    """The application waits for the body, and must not answer as well."""
    with serving(Access()) as ports, closing(opened(ports)) as connection:
        connection.sendall(b"POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nrubbish\r\n")
        assert until_closed(connection).count(b"HTTP/1.1 ") == 1


def test_who_does_not_stop_sending_is_hung_up_on() -> None:
    with serving(Access(), Bounds(head_bytes=1000, farewell_s=0.2)) as ports, closing(opened(ports)) as connection:
        connection.sendall(head(2000))
        assert until_closed(connection).startswith(b"HTTP/1.1 431 ")
        with pytest.raises(ConnectionError):
            until(lambda: connection.send(bytes(1000)) == 0)


def test_a_server_stops_while_somebody_is_being_refused() -> None:
    with serving(Access(), Bounds(head_bytes=1000)) as ports:
        connection = opened(ports)
        connection.sendall(head(2000))
        assert until_closed(connection).startswith(b"HTTP/1.1 431 ")
    connection.close()


def test_connections_beyond_the_bound_are_turned_away() -> None:
    patient = Bounds(connections=3)
    with serving(Access(), patient) as ports:
        held = [opened(ports) for _ in range(3)]
        for connection in held:
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        time.sleep(0.2)
        with closing(opened(ports)) as connection:
            assert until_closed(connection).startswith(b"HTTP/1.1 503 ")
        held.pop().close()
        until(lambda: answered(ports).startswith(b"HTTP/1.1 200 "))
        for connection in held:
            connection.close()


def test_what_is_turned_away_over_tls_is_not_done(tmp_path: Path) -> None:
    """A client that sends its request with the end of its handshake: all of it is there when the connection is made."""
    certificates = Certificates.made(tmp_path)
    tls = ServerTls(certificates.server_cert, certificates.server_key)
    with serving(Access(tls), Bounds(connections=0)) as ports, closing(opened(ports)) as connection:
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = certificates.context().wrap_bio(received, sent, server_hostname="127.0.0.1")
        while not shaken(secured):
            connection.sendall(sent.read())
            received.write(connection.recv(1 << 16))
        secured.write(b"GET /noted HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.sendall(sent.read())
        received.write(connection.recv(1 << 16))
        assert secured.read(1 << 16).startswith(b"HTTP/1.1 503 ")
        time.sleep(0.3)
        assert ports.noted == 0


def shaken(secured: ssl.SSLObject) -> bool:
    try:
        secured.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
