from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path

import grpc
import pytest
from tests.backend.access.certificates import Certificates
from tests.backend.access.servers import Ports, serving

from vivace.backend.access.access import Access, access
from vivace.backend.access.tls import ServerTls, server_tls
from vivace.errors import ConfigurationError


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.made(tmp_path_factory.mktemp("certificates"))


def over_http(ports: Ports, context: ssl.SSLContext) -> str:
    with closing(
        urllib.request.urlopen(f"https://127.0.0.1:{ports.http}/hello", timeout=20, context=context)
    ) as answer:
        return str(answer.read().decode())


def over_grpc(ports: Ports, credentials: grpc.ChannelCredentials) -> bytes:
    with grpc.secure_channel(f"127.0.0.1:{ports.grpc}", credentials) as channel:
        greet: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test/greet")
        return greet(b"you", timeout=20)


def test_both_protocols_are_served_over_tls(certificates: Certificates) -> None:
    tls = ServerTls(certificates.server_cert, certificates.server_key)
    with serving(Access(tls)) as ports:
        assert over_http(ports, certificates.context()).startswith("hello")
        assert over_grpc(ports, certificates.credentials()) == b"hello you"
        with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
            in_the_clear: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test/greet")
            with pytest.raises(grpc.RpcError):
                in_the_clear(b"you", timeout=5)


def test_callers_without_a_certificate_are_turned_away(certificates: Certificates) -> None:
    tls = ServerTls(certificates.server_cert, certificates.server_key, certificates.authority)
    with serving(Access(tls)) as ports:
        assert over_http(ports, certificates.context(shown=True)).startswith("hello")
        assert over_grpc(ports, certificates.credentials(shown=True)) == b"hello you"
        with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
            over_http(ports, certificates.context())
        with pytest.raises(grpc.RpcError) as error:
            over_grpc(ports, certificates.credentials())
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE


def copied(source: Certificates, target: Certificates) -> None:
    for name in ("authority", "server_cert", "server_key"):
        getattr(target, name).write_bytes(getattr(source, name).read_bytes())


def assert_serves(ports: Ports, caller: Certificates, *, turns_away: Certificates) -> None:
    assert over_http(ports, caller.context(shown=True)).startswith("hello")
    assert over_grpc(ports, caller.credentials(shown=True)) == b"hello you"
    for context in (turns_away.context(shown=True), mixed(turns_away, caller)):
        with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
            over_http(ports, context)
    pair = (turns_away.client_key.read_bytes(), turns_away.client_cert.read_bytes())
    for trusted in (turns_away, caller):
        with pytest.raises(grpc.RpcError):
            over_grpc(ports, grpc.ssl_channel_credentials(trusted.authority.read_bytes(), *pair))


def mixed(shown: Certificates, trusted: Certificates) -> ssl.SSLContext:
    """Of a client that trusts the server, but shows what the server may not trust."""
    context = ssl.create_default_context(cafile=str(trusted.authority))
    context.load_cert_chain(shown.client_cert, shown.client_key)
    return context


def test_new_connections_get_the_certificates_that_are_there_by_then(tmp_path: Path) -> None:
    old, new = (Certificates.made(tmp_path / name) for name in ("old", "new"))
    now = Certificates.made(tmp_path / "now")
    copied(old, now)
    reports: list[str] = []
    tls = ServerTls(now.server_cert, now.server_key, now.authority, report=reports.append)
    allowed = Access(tls)
    with serving(allowed) as ports:
        assert_serves(ports, old, turns_away=new)
        connection = HTTPSConnection("127.0.0.1", ports.http, timeout=20, context=old.context(shown=True))
        with closing(connection):
            connection.connect()
            now.server_key.write_bytes(new.server_key.read_bytes())
            for _ in range(3):
                tls.look()
            assert_serves(ports, old, turns_away=new)
            (report,) = reports
            assert report.startswith(
                f"--tls-cert {now.server_cert}, --tls-key {now.server_key}: cannot be used together"
            )
            assert report.endswith("; the certificates stay as they were")
            copied(new, now)
            (look,) = allowed.looks
            look()
            assert_serves(ports, new, turns_away=old)
            connection.request("GET", "/hello")
            assert connection.getresponse().status == 200
    assert len(reports) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_not_resumed_under_an_authority_that_was_withdrawn(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    old, new = (Certificates.made(tmp_path / name) for name in ("old", "new"))
    now = Certificates.made(tmp_path / "now")
    copied(old, now)
    tls = ServerTls(now.server_cert, now.server_key, now.authority)
    context = old.context(shown=True)
    context.minimum_version = context.maximum_version = version
    with serving(Access(tls)) as ports:
        session = hello(ports, context, None)
        assert session is not None
        now.authority.write_bytes(old.authority.read_bytes() + new.authority.read_bytes())
        tls.look()
        hello(ports, context, None)
        now.authority.write_bytes(new.authority.read_bytes())
        tls.look()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            hello(ports, context, session)


def hello(ports: Ports, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    """The session of a connection that was answered."""
    with (
        closing(socket.create_connection(("127.0.0.1", ports.http), timeout=20)) as plain,
        closing(context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)) as connection,
    ):
        connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        if not connection.recv(1 << 16):
            raise ConnectionError("no answer")
        return connection.session


def test_an_http_server_speaks_the_same_protocols_with_a_new_certificate(tmp_path: Path) -> None:
    made, new = Certificates.made(tmp_path / "made"), Certificates.made(tmp_path / "new")
    tls = ServerTls(made.server_cert, made.server_key, protocols=("http/1.1", "h2"))
    with serving(Access(tls)) as ports:
        for _ in range(2):
            context = made.context()
            context.set_alpn_protocols(["h2"])
            with (
                closing(socket.create_connection(("127.0.0.1", ports.http), timeout=20)) as plain,
                closing(context.wrap_socket(plain, server_hostname="127.0.0.1")) as connection,
            ):
                assert connection.selected_alpn_protocol() == "h2"
            copied(new, made)
            tls.look()


def test_no_files_are_no_tls() -> None:
    assert server_tls(None, None, None) is None


def test_files_that_vanish_while_they_are_looked_at_are_a_problem(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_arguments: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", gone)
    with pytest.raises(ConfigurationError, match=r"--tls-cert .*: cannot be used together .*No such file"):
        ServerTls(certificates.server_cert, certificates.server_key)


def test_problems_name_the_flag_and_what_to_do(certificates: Certificates, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello", encoding="utf-8")
    missing = tmp_path / "missing"
    cert, key = certificates.server_cert, certificates.server_key
    for files, words in {
        (cert, None, None): "--tls-cert: is given without --tls-key; give the key",
        (None, key, None): "--tls-key: is given without --tls-cert; give the certificate",
        (None, None, certificates.authority): "--tls-client-ca: is given without",
        (missing, key, None): f"--tls-cert {missing}: cannot be read",
        (cert, certificates.client_key, None): "cannot be used together",
        (text, key, None): "give a certificate in PEM",
        (cert, key, text): f"--tls-client-ca {text}: holds no certificates",
    }.items():
        with pytest.raises(ConfigurationError) as error:
            server_tls(*files)
        assert words in str(error.value)


def test_a_key_with_a_passphrase_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(certificates.server_key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(ConfigurationError, match="passphrase"):
        server_tls(certificates.server_cert, locked, None)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(ConfigurationError) as error:
        access(missing, missing, missing, missing, print)
    lines = str(error.value).splitlines()
    assert [line.split()[0] for line in lines] == ["--tls-cert", "--tls-key", "--tls-client-ca", "--tokens"]
