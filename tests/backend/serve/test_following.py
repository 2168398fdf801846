"""What the processes were told in files is looked at again while they run."""

from __future__ import annotations

import signal
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.backend.access.certificates import Certificates
from tests.backend.serve.server import Load, Server, in_blocks, present

from vivace.backend.followed import LOOK_SECONDS
from vivace.backend.serve.settings import ServeSettings
from vivace.backend.serve.supervisor import Backend
from vivace.backend.store.manifest import read_manifest

FREE = "127.0.0.1:0"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_bad_file_of_limits_is_reported_once_though_nobody_asks(tmp_path: Path) -> None:
    limits, log = tmp_path / "limits.yaml", tmp_path / "log"
    limits.write_text("defaults: {read: {max_query_time: 30s}}")
    backend = Backend(ServeSettings(tmp_path / "data", FREE, FREE, FREE, limits=limits), log)

    def shown() -> str:
        url = f"http://{backend.addresses.http}/status/overrides"
        with closing(urllib.request.urlopen(url, timeout=20)) as answer:
            return str(answer.read().decode())

    backend.start()
    try:
        limits.write_text("defaults: {read: {max_query_time: much}}")
        until(lambda: "stay as they were" in log.read_text())
        assert "max_query_time: 30s" in shown()
        time.sleep(3 * LOOK_SECONDS)
        limits.write_text("defaults: {read: {max_query_time: 20s}}")
        until(lambda: "max_query_time: 20s" in shown())
    finally:
        backend.stop()
    assert log.read_text().count("stay as they were") == 1


def test_renewed_certificates_are_shown_by_every_listener_without_a_restart(tmp_path: Path) -> None:
    now, new = (Certificates.made(tmp_path / name) for name in ("now", "new"))
    told = ServeSettings(tmp_path / "data", FREE, FREE, FREE, tls_cert=now.server_cert, tls_key=now.server_key)
    backend, log = Backend(told, tmp_path / "log"), tmp_path / "log"

    def shown(trusted: Certificates) -> list[bool]:
        """Which listeners show what somebody trusts."""
        at = backend.addresses
        return [trusts(trusted.context(), address) for address in (at.http, at.otlp_http, at.grpc, at.otlp_grpc)]

    backend.start()
    try:
        assert shown(now) == [True] * 4
        assert shown(new) == [False] * 4
        now.server_key.write_bytes(new.server_key.read_bytes())
        until(lambda: "the certificates stay as they were" in log.read_text())
        time.sleep(3 * LOOK_SECONDS)
        assert shown(now) == [True] * 4
        now.server_cert.write_bytes(new.server_cert.read_bytes())
        until(lambda: shown(new) == [True] * 4)
    finally:
        backend.stop()
    (line,) = log.read_text().splitlines()
    assert f"--tls-cert {now.server_cert}, --tls-key {now.server_key}: cannot be used together" in line


def trusts(context: ssl.SSLContext, address: str) -> bool:
    host, _, port = address.rpartition(":")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with closing(socket.create_connection((host, int(port)), timeout=20)) as plain:
        try:
            context.wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLCertVerificationError:
            return False
        return True


def test_a_retention_that_is_set_later_is_followed(tmp_path: Path) -> None:
    limits, data = tmp_path / "limits.yaml", tmp_path / "data"
    limits.write_text("defaults: {}")
    with closing(Server(data, ["--limits", str(limits)], hasty=True)) as server:
        load = Load(server.addresses.otlp_grpc, 0, 1, body=present)
        until(lambda: len(load.acknowledged) > 10)
        load.stop()
        until(lambda: in_blocks(data))
        assert read_manifest(data / "manifest.json").units
        limits.write_text("defaults: {compaction: {block_retention: 1s}}")
        until(lambda: not read_manifest(data / "manifest.json").units)
        assert server.stop(signal.SIGTERM) == 0
