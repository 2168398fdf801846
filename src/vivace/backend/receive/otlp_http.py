"""OTLP over HTTP: POST /v1/traces with protobuf, plain or gzipped."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from vivace.backend.receive.answer import RETRY_SECONDS, Cause, NotTaken
from vivace.backend.receive.intake import MESSAGE_BYTES, Intake

TRANSPORT: Final = "http"
PROTOBUF: Final = "application/x-protobuf"
_PLAIN: Final = ("", "identity")
_TOO_LARGE: Final = f"the request is larger than {MESSAGE_BYTES} bytes; send smaller ones"


def http_application(intake: Intake) -> Starlette:
    """The application that answers POST /v1/traces."""

    async def export(request: Request) -> Response:
        try:
            body = await _body(request)
        except NotTaken as refusal:
            intake.refuse(refusal, TRANSPORT)
            return _refusal(refusal)
        except ClientDisconnect:
            return Response(status_code=Cause.MALFORMED.http_status)
        try:
            await intake.take(body, TRANSPORT)
        except NotTaken as refusal:
            return _refusal(refusal)
        return Response(b"", media_type=PROTOBUF)

    return Starlette(routes=[Route("/v1/traces", export, methods=["POST"])])


async def _body(request: Request) -> bytes:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != PROTOBUF:
        raise NotTaken(Cause.MEDIA_TYPE, f"content type {content_type!r} is not supported; send {PROTOBUF}")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in {*_PLAIN, "gzip"}:
        raise NotTaken(Cause.MEDIA_TYPE, f"content encoding {encoding!r} is not supported; send gzip or none")
    body = await _received(request)
    return body if encoding in _PLAIN else await asyncio.to_thread(unzipped, body)


async def _received(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MESSAGE_BYTES:
            raise NotTaken(Cause.TOO_LARGE, _TOO_LARGE)
        parts.append(part)
    return b"".join(parts)


def unzipped(body: bytes, limit: int = MESSAGE_BYTES) -> bytes:
    """Decompresses gzip, of several members too, but never to more than a limit. NotTaken when it cannot."""
    parts, size = [], 0
    try:
        while body:
            member = zlib.decompressobj(wbits=31)
            parts.append(member.decompress(body, limit - size + 1))
            size += len(parts[-1])
            if size > limit:
                raise NotTaken(Cause.TOO_LARGE, f"{_TOO_LARGE} (decompressed)")
            if not member.eof:
                raise NotTaken(Cause.MALFORMED, "the gzip data end too early; send the whole of them")
            body = member.unused_data
    except zlib.error as error:
        raise NotTaken(Cause.MALFORMED, f"not gzip data: {error}") from error
    return b"".join(parts)


def _refusal(refusal: NotTaken) -> Response:
    headers = {"Retry-After": str(RETRY_SECONDS)} if refusal.cause.retryable else None
    return Response(refusal.status, refusal.cause.http_status, headers, media_type=PROTOBUF)
