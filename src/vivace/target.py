"""What is tested: a backend of our own, started for the run, or an endpoint that exists; one interface for both."""

from __future__ import annotations

import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Protocol

from vivace.backend.serve.supervisor import Backend, ServeSettings
from vivace.errors import TargetError

REACH_SECONDS = 5.0


class Target(Protocol):
    """Something that takes OTLP over gRPC, answers Tempo's query API, or both."""

    @property
    def otlp_endpoint(self) -> str | None:
        """host:port of OTLP over gRPC; None when nothing is to be sent."""

    @property
    def query_url(self) -> str | None:
        """Base URL of the query API, without a slash at its end; None when nothing is to be asked."""

    @property
    def metrics_url(self) -> str | None:
        """Where Prometheus metrics can be read, when they can."""

    def start(self) -> None:
        """Makes the target ready to be tested; TargetError when it cannot be."""

    def stop(self) -> None:
        """Ends what start() began."""

    def processes(self) -> Mapping[str, int]:
        """Process IDs by role, of the processes on this machine."""

    def failure(self) -> str | None:
        """What went wrong with the target while it was tested, in plain words."""

    def describe(self) -> dict[str, str]:
        """What the report says of the target."""


class EmbeddedTarget:
    """Vivace's own backend in a folder of its own, which is removed at the end unless it is to be kept."""

    def __init__(self, data_dir: Path, keep: bool = False, log: Path | None = None) -> None:
        """`log` is where the backend's messages go; without it they are not kept."""
        self._data_dir = data_dir
        self._keep = keep
        self._backend = Backend(
            ServeSettings(data_dir=data_dir, http="127.0.0.1:0", otlp_grpc="127.0.0.1:0", otlp_http="127.0.0.1:0"),
            log or Path(os.devnull),
        )

    @property
    def otlp_endpoint(self) -> str | None:
        return self._backend.addresses.otlp_grpc

    @property
    def query_url(self) -> str | None:
        return f"http://{self._backend.addresses.http}"

    @property
    def metrics_url(self) -> str | None:
        return f"{self.query_url}/metrics"

    def start(self) -> None:
        self._backend.start()

    def stop(self) -> None:
        self._backend.stop()
        if not self._keep:
            shutil.rmtree(self._data_dir, ignore_errors=True)

    def processes(self) -> Mapping[str, int]:
        return self._backend.processes()

    def failure(self) -> str | None:
        return self._backend.failure()

    def describe(self) -> dict[str, str]:
        return {"kind": "embedded", "query_url": self.query_url or "", "otlp_endpoint": self.otlp_endpoint or ""}


@dataclass(frozen=True)
class EndpointTarget:
    """A backend that exists already."""

    otlp_endpoint: str | None = None
    query_url: str | None = None
    metrics_url: str | None = None

    def start(self) -> None:
        if self.otlp_endpoint is not None:
            reach_port(self.otlp_endpoint, "--otlp-endpoint")
        if self.query_url is not None:
            reach_query_api(self.query_url)

    def stop(self) -> None:
        """It was there before and stays."""

    def processes(self) -> Mapping[str, int]:
        return {}

    def failure(self) -> str | None:
        return None

    def describe(self) -> dict[str, str]:
        named = {"kind": "endpoint", "otlp_endpoint": self.otlp_endpoint, "query_url": self.query_url}
        return {key: value for key, value in named.items() if value is not None}


def reach_port(endpoint: str, flag: str) -> None:
    """Connects once to host:port, and says what is wrong when that fails."""
    host, _, port = endpoint.rpartition(":")
    try:
        with closing(create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS)):
            pass
    except OSError as error:
        raise TargetError(
            f"{flag} {endpoint}: {error.strerror or error}; start the backend, or correct the address"
        ) from error


def reach_query_api(url: str) -> None:
    """Asks /api/echo, as Grafana does; any answer of an HTTP server but a 5xx will do."""
    try:
        with closing(urllib.request.urlopen(f"{url}/api/echo", timeout=REACH_SECONDS)):  # noqa: S310 - checked scheme
            pass
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise TargetError(
                f"--query-endpoint {url}: /api/echo answers {error.code}; wait until the backend is ready"
            ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise TargetError(f"--query-endpoint {url}: {reason}; start the backend, or correct the address") from error
