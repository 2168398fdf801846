"""What both kinds of servers are told of who may call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import uvicorn
from starlette.types import ASGIApp

from vivace.backend.access.connections import DEFAULT_BOUNDS, Bounds, bounded
from vivace.backend.access.http import BearerTokens, Refuse, refuse_in_plain_text
from vivace.backend.access.rpc import BearerTokensInterceptor
from vivace.backend.access.tls import HTTP_1, ServerTls, server_tls
from vivace.backend.access.tokens import Tokens
from vivace.errors import ConfigurationError

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than senders wait between two requests: one that meets its connection's end may be lost."""


@dataclass(frozen=True, slots=True)
class Access:
    """Everyone may call, in the clear, unless told otherwise."""

    tls: ServerTls | None = None
    tokens: Tokens | None = None

    @property
    def looks(self) -> Sequence[Callable[[], None]]:
        """What is to be called now and then, so that the files are followed."""
        return [followed.look for followed in (self.tls, self.tokens) if followed is not None]

    def uvicorn_config(
        self,
        application: ASGIApp,
        grace_s: float,
        bounds: Bounds = DEFAULT_BOUNDS,
        refuse: Refuse = refuse_in_plain_text,
    ) -> uvicorn.Config:
        """Serves the application to those who may call."""
        tls = self.tls
        return uvicorn.Config(
            application if self.tokens is None else BearerTokens(application, self.tokens, refuse),
            http=bounded(bounds),
            lifespan="off",
            access_log=False,
            log_level="error",
            server_header=False,
            timeout_graceful_shutdown=int(grace_s),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            ssl_context_factory=None if tls is None else lambda *_: tls.context(),
        )

    def interceptors(self) -> list[grpc.aio.ServerInterceptor]:
        """For a gRPC server."""
        return [] if self.tokens is None else [BearerTokensInterceptor(self.tokens)]


def access(
    cert: Path | None,
    key: Path | None,
    client_ca: Path | None,
    tokens: Path | None,
    report: Callable[[str], None] = lambda _: None,
    *,
    protocols: Sequence[str] = HTTP_1,
) -> Access:
    """ConfigurationError with a line for each problem of the files; `report` is told of later ones."""
    problems, tls, good = [], None, None
    try:
        tls = server_tls(cert, key, client_ca, protocols, report)
    except ConfigurationError as error:
        problems.append(str(error))
    try:
        good = None if tokens is None else Tokens(tokens, report)
    except ConfigurationError as error:
        problems.append(str(error))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Access(tls, good)
