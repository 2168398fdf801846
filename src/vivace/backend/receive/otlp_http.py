"""OTLP over HTTP: POST /v1/traces with protobuf or JSON, plain or gzipped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from vivace.backend.access.http import UNAUTHORIZED
from vivace.backend.receive.answer import Cause, NotTaken, Taken
from vivace.backend.receive.intake import MESSAGE_BYTES, Intake
from vivace.backend.receive.otlp_json import protobuf_of
from vivace.backend.receive.unzip import TOO_LARGE, unzipped
from vivace.backend.tenant.identity import HEADER

TRANSPORT: Final = "http"
PATH: Final = "/v1/traces"
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
GZIP: Final = "gzip"
RECEIVING_BYTES: Final = 256 << 20
"""With so much of requests in memory that are not logged yet, no more is received."""
CONVERSIONS: Final = 2
"""So many requests are unpacked or converted at once: each may take memory many times its size."""
_PLAIN: Final = ("", "identity")


@dataclass(frozen=True, slots=True)
class _Format:
    """How a request is written, and so its answer."""

    content_type: str
    encoding: str

    def check(self) -> None:
        """NotTaken when nothing of this kind is understood."""
        if self.content_type not in {PROTOBUF, JSON}:
            what = f"content type {self.content_type!r} is not supported; send {PROTOBUF} or {JSON}"
            raise NotTaken(Cause.MEDIA_TYPE, what)
        if self.encoding not in {*_PLAIN, GZIP}:
            what = f"content encoding {self.encoding!r} is not supported; send {GZIP} or none"
            raise NotTaken(Cause.MEDIA_TYPE, what)

    @property
    def plain(self) -> bool:
        """There is nothing to be unpacked or converted."""
        return self.content_type == PROTOBUF and self.encoding in _PLAIN

    def taken(self, taken: Taken) -> Response:
        """The answer to a request that was taken."""
        return Response(taken.json if self.content_type == JSON else taken.protobuf, media_type=self._answered)

    def refused(self, refusal: NotTaken) -> Response:
        """The answer to a request that was not."""
        headers = {} if refusal.retry_after is None else {"Retry-After": refusal.retry_after}
        body = refusal.json if self.content_type == JSON else refusal.status
        return Response(body, refusal.cause.http_status, headers, media_type=self._answered)

    @property
    def _answered(self) -> str:
        return JSON if self.content_type == JSON else PROTOBUF

    def unpacked(self, body: bytes) -> bytes:
        """The request in protobuf, plain."""
        plain = body if self.encoding in _PLAIN else unzipped(body)
        return protobuf_of(plain) if self.content_type == JSON else plain


class Receiving:
    """How many bytes of requests are in memory, and the bound on them."""

    def __init__(self, limit: int = RECEIVING_BYTES) -> None:
        self._limit = limit
        self._bytes = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """A request's body; it counts until the context ends. NotTaken when it is too large, or there are too many."""
        parts, size = [], 0
        try:
            async for part in request.stream():
                size += len(part)
                self._bytes += len(part)
                if size > MESSAGE_BYTES:
                    raise NotTaken(Cause.TOO_LARGE, TOO_LARGE)
                if self._bytes > self._limit:
                    raise NotTaken(Cause.OVERLOADED, f"{self._bytes} bytes are being received; send again later")
                parts.append(part)
            yield b"".join(parts)
        finally:
            self._bytes -= size


def http_application(intake: Intake) -> Starlette:
    """The application that takes requests."""
    receiving = Receiving()
    converter = ThreadPoolExecutor(CONVERSIONS, "convert")

    async def export(request: Request) -> Response:
        form, tenant = _format(request), None
        try:
            form.check()
            tenant = intake.tenant(request.headers.get(HEADER))
            async with receiving.body(request) as body:
                loop = asyncio.get_running_loop()
                plain = body if form.plain else await loop.run_in_executor(converter, form.unpacked, body)
                return form.taken(await intake.take(plain, tenant, TRANSPORT))
        except NotTaken as refusal:
            intake.refuse(refusal, tenant, TRANSPORT)
            return form.refused(refusal)
        except ClientDisconnect:
            return Response(status_code=Cause.MALFORMED.http_status)

    return Starlette(routes=[Route(PATH, export, methods=["POST"])], exception_handlers=_REFUSALS)


def unauthorized(request: Request) -> Response:
    """The answer to who has shown no good token."""
    return _format(request).refused(NotTaken(Cause.UNAUTHORIZED, UNAUTHORIZED))


def _refusal(cause: Cause, message: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def refused(request: Request, error: Exception) -> Response:
        response = _format(request).refused(NotTaken(cause, message))
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    return refused


_REFUSALS: Final = {
    404: _refusal(Cause.NO_PATH, f"there is nothing here; send to {PATH}"),
    405: _refusal(Cause.NO_METHOD, "this is no way to send; use POST"),
    500: _refusal(Cause.DEFECT, "the request failed by a defect of the backend; its messages say more"),
}


def _format(request: Request) -> _Format:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return _Format(content_type, request.headers.get("content-encoding", "").strip().lower())
