"""Where servers listen: addresses as people write them, and sockets there."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from typing import Final

from vivace.errors import ConfigurationError, TargetError

BACKLOG: Final = 1024
_WRITTEN: Final = re.compile(r"(?P<host>[^\s:/\[\]]+|\[[0-9A-Fa-f:.%]+\]):(?P<port>[0-9]{1,5})")
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - they are recognised, not listened on


@dataclass(frozen=True, slots=True)
class Address:
    """A host, without brackets, and a port; 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def meets(self, other: Address) -> bool:
        """Whether not both can be listened on."""
        hosts = {self.host.lower(), other.host.lower()}
        return 0 != self.port == other.port and (len(hosts) == 1 or bool(hosts & _EVERYWHERE))


def address(text: str, flag: str) -> Address:
    """Reads HOST:PORT; ConfigurationError when it is something else."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            f'{flag}: "{text}" is not an address; give HOST:PORT, such as 127.0.0.1:3200 or [::1]:3200'
        )
    if int(found["port"]) > 65535:
        raise ConfigurationError(f'{flag}: "{text}" has the port {found["port"]}; give one from 0 to 65535')
    return Address(found["host"].strip("[]"), int(found["port"]))


def listen(text: str, flag: str) -> socket.socket:
    """A listening socket. ConfigurationError for what is no address, TargetError when it cannot be listened on."""
    wanted = address(text, flag)
    try:
        listener = _opened(wanted)
    except OSError as error:
        raise refused(text, flag, _said(error)) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or an answer waits 40 ms for its second part
    return listener


def where(listener: socket.socket) -> str:
    """The address that a socket really listens on."""
    return str(Address(*listener.getsockname()[:2]))


def hindrance(wanted: Address) -> str | None:
    """Why an address cannot be listened on, as the system says it; None when it can be."""
    try:
        _opened(wanted).close()
    except OSError as error:
        return _said(error)
    return None


def refused(text: str, flag: str, reason: str) -> TargetError:
    """What is raised when an address cannot be listened on."""
    return TargetError(f"{flag} {text}: cannot listen there ({reason}); choose another address, or end what uses it")


def _said(error: OSError) -> str:
    """The system's words; those of a socket name the address again."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _opened(wanted: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    return socket.create_server((wanted.host, wanted.port), family=family, backlog=BACKLOG)
