"""The querier process with TLS, tokens and tenants, asked over HTTP and gRPC; and with a damaged block."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from tests.backend.access.certificates import Certificates
from tests.backend.query.samples import request, span, store

from vivace.backend.query.server import BOUNDS
from vivace.backend.query.tempopb import MESSAGES, SERVICE
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.unit import UnitKind

SHOWN = "a-good-one"
RUN = """
import json, sys
from pathlib import Path
from vivace.backend.query.server import QuerierSettings, run
given = json.loads(sys.argv[1])
paths = {name: Path(value) for name, value in given.items() if name.startswith(("tls", "tokens", "data", "limits"))}
settings = QuerierSettings(**{**given, **paths, "http": "127.0.0.1:0"})
run(settings, lambda *addresses: print(*addresses, flush=True), lambda line: print(line, file=sys.stderr, flush=True))
"""


@dataclass(frozen=True)
class Server:
    http: str
    grpc: str
    process: subprocess.Popen[str]


@contextmanager
def serving(folder: Path, said: Path | None = None, **settings: Any) -> Iterator[Server]:
    given = json.dumps({"data_dir": str(folder), **settings})
    with (said or folder / "said").open("w") as errors:
        process = subprocess.Popen([sys.executable, "-c", RUN, given], stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        http, rpc = process.stdout.readline().split()
        yield Server(http, rpc, process)
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


@dataclass(frozen=True)
class Guarded:
    server: Server
    certificates: Certificates

    def get(
        self, path: str, *, token: str | None = SHOWN, tenant: str | None = "red", **params: str
    ) -> tuple[int, str]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= {} if tenant is None else {"X-Scope-OrgID": tenant}
        url = f"https://{self.server.http}{path}?{urlencode(params)}"
        asked = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=20, context=self.certificates.context()) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def traces(self, address: str, tenant: str | None = "red", token: str | None = SHOWN) -> list[str]:
        """What the StreamingQuerier finds."""
        metadata = [("authorization", f"Bearer {token}")] if token else []
        metadata += [("x-scope-orgid", tenant)] if tenant is not None else []
        with grpc.secure_channel(address, self.certificates.credentials()) as channel:
            ask: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"/{SERVICE}/Search")
            asked = MESSAGES["SearchRequest"](Query="{ }").SerializeToString()
            *_, last = ask(asked, metadata=tuple(metadata), timeout=20)
        answer = MessageToDict(MESSAGES["SearchResponse"].FromString(last))
        return sorted(trace["traceID"] for trace in answer.get("traces", []))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    store(folder, [request(span(0xA, 1))], [request(span(0xB, 1))])
    manifest = DataFolder(folder).manifest
    manifest.write_text(manifest.read_text().replace("single-tenant", "red", 1).replace("single-tenant", "blue", 1))
    assert [one.tenant for one in read_manifest(manifest).units] == ["red", "blue"]
    certificates = Certificates.made(folder / "certificates")
    (folder / "tokens").write_text(f"{SHOWN}\n")
    settings: dict[str, Any] = {
        "multitenancy": True,
        "tls_cert": str(certificates.server_cert),
        "tls_key": str(certificates.server_key),
        "tokens": str(folder / "tokens"),
        "told": {"tls_cert": str(certificates.server_cert), "multitenancy": True},
    }
    with serving(folder, **settings) as server:
        yield Guarded(server, certificates)


def test_over_tls_with_a_token_each_tenant_reads_its_own(guarded: Guarded) -> None:
    for tenant, found in (("red", ["a"]), ("blue", ["b"]), ("blue|red", ["a", "b"]), ("nobody", [])):
        status, body = guarded.get("/api/search", tenant=tenant, q="{ }")
        assert status == 200
        assert sorted(trace["traceID"] for trace in json.loads(body)["traces"]) == found
        assert guarded.traces(guarded.server.grpc, tenant) == found
        assert guarded.traces(guarded.server.http, tenant) == found


def test_without_a_good_token_nothing_is_told_but_readiness(guarded: Guarded) -> None:
    for token in (None, "bad"):
        for path in ("/api/search", "/api/echo", "/metrics", "/status/config"):
            assert guarded.get(path, token=token)[0] == 401
        assert guarded.get("/ready", token=token)[0] in (200, 503)
        for address in (guarded.server.grpc, guarded.server.http):
            with pytest.raises(grpc.RpcError) as caught:
                guarded.traces(address, token=token)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("tenant", "status", "code"),
    [
        (None, 401, grpc.StatusCode.UNAUTHENTICATED),
        ("a/b", 400, grpc.StatusCode.INVALID_ARGUMENT),
        ("x" * 151, 400, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_who_does_not_say_who_he_is_is_refused(
    guarded: Guarded, tenant: str | None, status: int, code: grpc.StatusCode
) -> None:
    answer = guarded.get("/api/search", tenant=tenant, q="{ }")
    assert answer[0] == status
    with pytest.raises(grpc.RpcError) as caught:
        guarded.traces(guarded.server.grpc, tenant)
    assert (caught.value.code(), caught.value.details()) == (code, answer[1])


def test_queries_are_counted_by_tenant_and_no_secret_is_shown(guarded: Guarded) -> None:
    guarded.get("/api/search", tenant="red", q="{ }")
    figures = guarded.get("/metrics")[1]
    assert 'tempo_query_frontend_queries_total{op="search",result="completed",tenant="red"}' in figures
    assert SHOWN not in figures + guarded.get("/status/config")[1] + guarded.get("/status")[1]


def exchange(address: str, *parts: bytes) -> bytes:
    """What is answered to some bytes."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        answer = b""
        try:
            for part in parts:
                connection.sendall(part)
            while part := connection.recv(1 << 16):
                answer += part
        except ConnectionError:
            pass
        return answer


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("damaged")
    store(folder, [request(span(0xA, 1, attributes={"x": 1}))])
    store(folder, [request(span(0xB, 1, attributes={"x": 1}))], kind=UnitKind.BLOCK)
    spans = DataFolder(folder).block("unit-1") / "spans.parquet"
    content = bytearray(spans.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    spans.write_bytes(content)
    said = folder / "said"
    with serving(folder, said) as server:
        yield server, said


def test_a_damaged_block_is_left_out_and_told_of_once(damaged: tuple[Server, Path]) -> None:
    server, said = damaged

    def get(path: str, **params: str) -> Any:
        with urllib.request.urlopen(f"http://{server.http}{path}?{urlencode(params)}", timeout=20) as answer:
            return answer.read()

    for _ in range(2):
        found = json.loads(get("/api/search", q="{ .x = 1 }"))["traces"]
        assert [trace["traceID"] for trace in found] == ["a"]
    assert json.loads(get("/api/v2/traces/a"))["status"] == "PARTIAL"
    assert json.loads(get("/api/metrics/query", q="{ } | count_over_time()", since="1h"))["status"] == "PARTIAL"
    assert b"vivace_units_unreadable 1.0" in get("/metrics")
    (line,) = said.read_text().splitlines()
    assert "unit-1" in line
    assert "cannot be read" in line


def test_what_is_too_large_is_refused(damaged: tuple[Server, Path]) -> None:
    address = damaged[0].http
    endless = exchange(address, b"GET /api/search?q=" + b"a" * (BOUNDS.head_bytes + 1))
    assert endless.startswith(b"HTTP/1.1 431 ")
    begin, end = b"GET /api/echo?q=", b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    room = BOUNDS.head_bytes - len(begin) - len(end)
    assert exchange(address, begin + b"a" * room + end).startswith(b"HTTP/1.1 200 ")
    assert exchange(address, begin + b"a" * (room + 1) + end).startswith(b"HTTP/1.1 431 ")
    large = b"POST /api/search HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9999999\r\n\r\n"
    assert exchange(address, large).startswith(b"HTTP/1.1 413 ")
    small = b"POST /api/search HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"
    assert exchange(address, small).startswith(b"HTTP/1.1 200 ")
    assert exchange(address, b"rubbish\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    long = b"GET /api/search?q=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % (b"a" * 140_000)
    assert b"exceeds the configured maximum size of 131072 bytes" in exchange(address, long)
