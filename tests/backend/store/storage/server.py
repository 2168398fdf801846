"""A real S3 server, versitygw, built by Go from its module proxy once per machine, and a relay to listen in."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep, time
from typing import Final

MODULE: Final = "github.com/versity/versitygw/cmd/versitygw"
VERSION: Final = "v1.8.0"
BUILD_SECONDS: Final = 280
KEY: Final = "tester"
SECRET: Final = "not-a-secret-at-all"  # noqa: S105 - of a server on loopback that lives for a test
REGION: Final = "eu-central-1"
LIFELINE: Final = '"$@" & read -r _; kill -9 $!; wait $! 2>/dev/null'
"""Ends the server with the standard input, and so with the test, however that ends."""


class NoServer(Exception):
    """Why there is no server to test with."""


def server_program() -> Path:
    """The built server; NoServer when it cannot be had. Builds one at a time, and not again soon after a failure."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vivace-tests"
    cache.mkdir(parents=True, exist_ok=True)
    program, failed = cache / f"versitygw-{VERSION}", cache / f"versitygw-{VERSION}.failed"
    with (cache / "versitygw.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            if failed.exists() and time() - failed.stat().st_mtime < BUILD_SECONDS:
                raise NoServer(failed.read_text())
            try:
                _build(program)
            except NoServer as error:
                failed.write_text(str(error))
                raise
    return program


def _build(program: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise NoServer("Go is not installed, which builds the S3 server to test with")
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        command = [go, "install", "-trimpath", "-ldflags=-s -w", "-gcflags=all=-N -l", f"{MODULE}@{VERSION}"]
        environment = {**os.environ, "GOBIN": folder, "GOFLAGS": "-buildvcs=false"}
        try:
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=BUILD_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise NoServer(f"building the S3 server took more than {BUILD_SECONDS} s") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            raise NoServer(f"the S3 server cannot be built: {said[-1] if said else error}") from error
        Path(folder, "versitygw").rename(program)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class S3Server:
    """Serves the folders below a root as buckets, on a port that it keeps when it is started again."""

    def __init__(self, program: Path, root: Path, certificate: Path | None = None, key: Path | None = None) -> None:
        self._program = program
        self._tls = [] if certificate is None else ["--cert", str(certificate), "--key", str(key)]
        self._process: subprocess.Popen[bytes] | None = None
        self.root = root
        self.port = free_port()

    def bucket(self, name: str) -> Path:
        """A new bucket; its objects are files in the folder."""
        folder = self.root / name
        folder.mkdir(parents=True)
        return folder

    def environment(self, port: int | None = None) -> Mapping[str, str]:
        return {
            "AWS_ENDPOINT_URL_S3": f"{'https' if self._tls else 'http'}://127.0.0.1:{port or self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
        }

    def start(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        who = ["--access", KEY, "--secret", SECRET, "--region", REGION, "--port", f"127.0.0.1:{self.port}", "--quiet"]
        command = ["sh", "-c", LIFELINE, "sh", str(self._program), *who, *self._tls, "posix", str(self.root)]
        with (self.root.parent / "s3.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        deadline = monotonic() + 20
        while not _listens(self.port):
            if monotonic() > deadline:
                raise AssertionError((self.root.parent / "s3.log").read_text())
            sleep(0.02)

    def stop(self) -> None:
        """Kills it."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


REFUSAL: Final = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


class Relay:
    """Passes bytes on to a server, and keeps what it was sent; it holds back changes after so many."""

    def __init__(self, port: int, changes: int | None = None) -> None:
        self._target = port
        self._changes = changes
        self.refused: set[str] = set()
        """Requests whose path has any of these are answered by 403."""
        self._lock = Lock()
        self.holds = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = bytearray()
        self._connections: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._accepter = Thread(target=self._accept, daemon=True)
        self._accepter.start()

    def close(self) -> None:
        """Nobody is passed on any more; may be called again."""
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepter.join()
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._connections += [client, server]
            for source, sink in ((client, server), (server, client)):
                thread = Thread(target=self._pass_on, args=(source, sink, source is client), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, outward: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if outward and self._held_back(data):
                    return
                if outward and self._is_refused(data):
                    source.sendall(REFUSAL)
                else:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _is_refused(self, data: bytes) -> bool:
        """A request comes in one piece, where it has no body."""
        path = data.split(b"\r\n", 1)[0]
        return any(part.encode() in path for part in self.refused)

    def _held_back(self, data: bytes) -> bool:
        with self._lock:
            self.sent += data
            if self._changes is not None and data.startswith((b"PUT ", b"POST ", b"DELETE ")):
                self._changes -= 1
                if self._changes < 0:
                    self.holds.set()
                    return True
            return False
