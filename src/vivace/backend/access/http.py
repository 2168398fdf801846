"""Over HTTP: who shows no good token is refused before anything is read of what it asks."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from vivace.backend.access.tokens import Tokens

OPEN: Final = frozenset({"/ready"})
"""Paths for everyone: whoever watches over the process has no token."""
UNAUTHORIZED: Final = "unauthorized"


class BearerTokens:
    """An ASGI application in front of another."""

    def __init__(self, application: ASGIApp, tokens: Tokens) -> None:
        self._application = application
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may pass."""
        if scope["type"] != "http" or scope["path"] in OPEN or self._allowed(scope):
            await self._application(scope, receive, send)
        else:
            headers = {"WWW-Authenticate": "Bearer"}
            await PlainTextResponse(UNAUTHORIZED, 401, headers)(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        return self._tokens.allows(Headers(scope=scope).get("authorization"))
