"""A querier process that is really started, and is asked over loopback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUN = """
import sys
from pathlib import Path
from vivace.backend.query.server import QuerierSettings, run
told = {"data_dir": sys.argv[1], "wal_sync": "always"}
settings = QuerierSettings(Path(sys.argv[1]), "127.0.0.1:0", told=told)
run(settings, lambda *addresses: print(*addresses, flush=True), lambda line: print(line, file=sys.stderr))
"""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Server:
    address: str
    grpc: str
    folder: Path
    process: subprocess.Popen[str]

    def get(self, path: str, headers: dict[str, str] | None = None, *, method: str = "GET", **params: Any) -> Answer:
        url = f"http://{self.address}{path}" + (f"?{urllib.parse.urlencode(params)}" if params else "")
        asked = urllib.request.Request(url, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310 - http, on this machine
                return Answer(answer.status, answer.read(), {k.lower(): v for k, v in answer.headers.items()})
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read(), {k.lower(): v for k, v in error.headers.items()})


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A querier over a data folder."""
    (folder / "metrics").mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", RUN, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        http, grpc = process.stdout.readline().split()
        yield Server(http, grpc, folder, process)
    finally:
        process.terminate()
        assert process.wait(20) in (0, -signal.SIGTERM)
        if process.stdout is not None:
            process.stdout.close()
