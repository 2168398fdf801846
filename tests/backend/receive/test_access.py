from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import Parse
from google.rpc.status_pb2 import Status
from tests.backend.access.certificates import Certificates
from tests.backend.receive.conftest import EXPORT, Receiver, started
from tests.backend.store.sample import request

from vivace.backend.receive.server import ReceiverSettings, run
from vivace.errors import ConfigurationError

BEARER = "Bearer let-me-in"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.made(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def guarded(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with TLS, certificates of callers and tokens."""
    folder: Path = tmp_path_factory.mktemp("guarded")
    (folder / "tokens").write_text("let-me-in\n", encoding="utf-8")
    with started(
        folder / "data",
        tls_cert=certificates.server_cert,
        tls_key=certificates.server_key,
        tls_client_ca=certificates.authority,
        tokens=folder / "tokens",
    ) as receiver:
        yield receiver


def test_who_shows_certificate_and_token_may_write(guarded: Receiver, certificates: Certificates) -> None:
    with grpc.secure_channel(guarded.grpc_address, certificates.credentials(shown=True)) as channel:
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
        assert export(request(1), timeout=20, metadata=(("authorization", BEARER),)) == b""
        with pytest.raises(grpc.RpcError, match="unauthorized") as error:
            export(request(2), timeout=20)
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
    headers = {"Content-Type": "application/x-protobuf", "Authorization": BEARER}
    sent = urllib.request.Request(f"https://{guarded.http_address}/v1/traces", request(3), headers)
    context = certificates.context(shown=True)
    with closing(urllib.request.urlopen(sent, timeout=20, context=context)) as answer:  # noqa: S310 - https
        assert answer.status == 200
        assert Status.FromString(answer.read()).code == 0
    assert sum(record.batch.spans for record in guarded.records()) == 30


def test_who_shows_no_token_is_told_in_the_requests_format(guarded: Receiver, certificates: Certificates) -> None:
    context = certificates.context(shown=True)
    for content_type in ("application/x-protobuf", "application/json"):
        headers = {"Content-Type": content_type}
        sent = urllib.request.Request(f"https://{guarded.http_address}/v1/traces", request(3), headers)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(sent, timeout=20, context=context)  # noqa: S310 - https
        with closing(error.value) as answer:
            body = answer.read()
            assert (answer.code, answer.headers["content-type"]) == (401, content_type)
            assert answer.headers["www-authenticate"] == "Bearer"
        said = Parse(body, Status()) if content_type.endswith("json") else Status.FromString(body)
        assert (said.code, said.message) == (grpc.StatusCode.UNAUTHENTICATED.value[0], "unauthorized")


def test_what_cannot_be_served_is_said_before_anything_is_done(tmp_path: Path) -> None:
    settings = ReceiverSettings(tmp_path, "127.0.0.1:0", "127.0.0.1:0", tokens=tmp_path / "missing")
    with pytest.raises(ConfigurationError, match="--tokens"):
        run(settings, lambda *_: None, print)
    assert list(tmp_path.iterdir()) == []
