"""Over HTTP: who shows no good token is refused before anything is read of what it asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vivace.backend.access.tokens import Tokens

OPEN: Final = frozenset({"/ready"})
"""Paths for everyone: whoever watches over the process has no token."""
UNAUTHORIZED: Final = "unauthorized"

Refuse = Callable[[Request], Response]
"""Makes the answer to a request, as whoever sends such requests understands it."""


def refuse_in_plain_text(_: Request) -> Response:
    """For who has no other way to say it."""
    return PlainTextResponse(UNAUTHORIZED, 401)


class BearerTokens:
    """An ASGI application in front of another."""

    def __init__(self, application: ASGIApp, tokens: Tokens, refuse: Refuse = refuse_in_plain_text) -> None:
        self._application = application
        self._tokens = tokens
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may pass."""
        if scope["type"] != "http" or scope["path"] in OPEN or self._allowed(scope):
            await self._application(scope, receive, send)
        else:
            response = self._refuse(Request(scope))
            response.headers["WWW-Authenticate"] = "Bearer"
            await response(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        return self._tokens.allows(Headers(scope=scope).get("authorization"))
