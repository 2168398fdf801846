"""Where a sink listens, what it counts, whom it trusts, and how it fails; all of it checked before it starts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import IntEnum
from math import isfinite
from pathlib import Path
from typing import Final

from vivace.errors import ConfigurationError
from vivace.send.answer import STATUSES
from vivace.send.sink.status import Status, status_of

RATES: Final = ("refuse", "throttle", "partial", "drop", "hang")
MOST_TRACES: Final = 1 << 26


class Counting(IntEnum):
    """What a sink reads of its requests; each level costs more than the one before."""

    REQUESTS = 0  # requests and bytes; nothing is read
    ITEMS = 1  # spans, data points, log records, too
    TRACES = 2  # distinct trace IDs, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Shares of requests, 0 to 1, that go wrong on purpose; of the first five at most one befalls a request."""

    refuse: float = 0.0
    refuse_status: str = "UNAVAILABLE"
    """A gRPC status or an HTTP status; each protocol answers with its own counterpart."""
    throttle: float = 0.0
    """Refused with RESOURCE_EXHAUSTED or 429, to be tried again after a while."""
    retry_after_s: float = 1.0
    partial: float = 0.0
    """Taken but for some items."""
    partial_items: int = 1
    drop: float = 0.0
    """The connection is broken off when the request has come."""
    hang: float = 0.0
    """There is never an answer."""
    delay: float = 0.0
    """Answered, whatever the answer is, later."""
    delay_s: float = 0.1
    seed: int = 0
    """The same seed, the same faults in the same order."""

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return self.delay > 0 or any(getattr(self, name) > 0 for name in RATES)

    @property
    def status(self) -> Status:
        """What a refused request is answered with."""
        status = status_of(self.refuse_status)
        assert status is not None  # noqa: S101 - the settings were checked
        return status

    def problems(self) -> Iterator[str]:
        """What is wrong with it, a line each."""
        shares: dict[str, float] = {name: getattr(self, name) for name in (*RATES, "delay")}
        wrong = {name: share for name, share in shares.items() if not 0 <= share <= 1}
        for name, share in wrong.items():
            yield f"{name}: {share} is no share of requests; give 0 to 1"
        total = sum(shares[name] for name in RATES)
        if not wrong and total > 1 + 1e-9:
            yield f"{', '.join(RATES)}: together {total:g} of all requests; give 1 or less in all"
        for name in ("retry_after_s", "delay_s"):
            seconds: float = getattr(self, name)
            if not (isfinite(seconds) and seconds >= 0):
                yield f"{name}: {seconds} is no time; give seconds"
        if self.partial_items < 1:
            yield f"partial_items: {self.partial_items} are none; give 1 or more"
        if status_of(self.refuse_status) is None:
            yield (
                f"refuse_status: '{self.refuse_status}' is no status of an error; "
                f"give one of {', '.join(STATUSES[1:])}, or an HTTP status from 400 to 599"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """Who the sink is, and whom it lets in."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    """Clients must have a certificate of one of these authorities (PEM)."""

    def context(self) -> ssl.SSLContext:
        """OSError when a file cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert_file, self.key_file, password="")
        context.set_alpn_protocols(["h2", "http/1.1"])
        if self.client_ca_file is not None:
            context.load_verify_locations(self.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def problems(self) -> Iterator[str]:
        """What is wrong with it, a line each."""
        missing = [path for field in fields(self) if (path := getattr(self, field.name)) and not path.is_file()]
        for path in missing:
            yield f"tls: {path} is not a file; give a PEM file that can be read"
        if missing:
            return
        try:
            self.context()
        except OSError as error:
            yield f"tls: {self.cert_file}, {self.key_file}: cannot be used ({error}); give PEM files that match"


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """One sink. ConfigurationError names everything that is wrong with it, a line for each."""

    address: str = "127.0.0.1:0"
    """host:port; port 0 takes a free one. Every protocol is understood there."""
    other_address: str | None = None
    """A second one."""
    counting: Counting = Counting.REQUESTS
    most_traces: int = 1_000_000
    """Up to so many distinct trace IDs the count is exact; above, an estimate."""
    processes: int = 1
    """They share the ports; a connection belongs to one of them."""
    tls: ServerTls | None = None
    """None: plaintext."""
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError("\n".join(problems))

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.address,) if self.other_address is None else (self.address, self.other_address)

    def _problems(self) -> Iterator[str]:
        for address in self.addresses:
            host, _, port = address.rpartition(":")
            if not host or not port.isdecimal() or int(port) >= 65_536:
                yield f"address: '{address}' is not host:port; give one, such as 127.0.0.1:4317"
        if self.address == self.other_address and not self.address.endswith(":0"):
            yield f"address: '{self.address}' is given twice; give two, or one, which takes every protocol"
        if self.processes < 1:
            yield f"processes: {self.processes} receive nothing; give at least 1"
        if not 1 <= self.most_traces <= MOST_TRACES:
            yield f"most_traces: {self.most_traces} cannot be held; give 1 to {MOST_TRACES}"
        if self.tls is not None:
            yield from self.tls.problems()
        yield from self.faults.problems()
