"""Reads one trace back from a target's query API: there, not there (yet), or no usable answer."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Final

import aiohttp
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import BytesValue

LONGEST_REASON: Final = 200


class NoAnswer(Exception):
    """The target gave no answer that says whether the trace is there."""


class Reader:
    """Connections to one target. Falls back to the first version of the API where there is no second."""

    def __init__(self, url: str, timeout_s: float, headers: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._only_v1 = False
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            headers={**headers, "Accept": "application/protobuf"},
        )

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def trace(self, trace_id: bytes) -> bytes | None:
        """The trace as the bytes of OTLP TracesData, None when it is not there; NoAnswer when that is not known."""
        if not self._only_v1:
            body = await self._get(f"/api/v2/traces/{trace_id.hex()}")
            if body is not None:
                return _trace_of_response(body)
        body = await self._get(f"/api/traces/{trace_id.hex()}")
        self._only_v1 |= bool(body)
        return body or None

    async def _get(self, path: str) -> bytes | None:
        """The body of an answer, None for 404."""
        try:
            async with self._session.get(self._url + path) as response:
                if response.status == HTTPStatus.NOT_FOUND:
                    return None
                body = await response.content.read(LONGEST_REASON if response.status != HTTPStatus.OK else -1)
                return _checked(response, body)
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {self._timeout_s:g} s") from error
        except aiohttp.ClientError as error:
            raise NoAnswer(str(error)[:LONGEST_REASON] or type(error).__name__) from error


def _checked(response: aiohttp.ClientResponse, body: bytes) -> bytes:
    if response.status != HTTPStatus.OK:
        raise NoAnswer(f"HTTP status {response.status}: {body.decode(errors='replace').strip()}")
    if "json" in response.content_type:
        raise NoAnswer(f"answered with {response.content_type}, not with protobuf")
    return body


def _trace_of_response(body: bytes) -> bytes | None:
    """Field 1 of a TraceByIDResponse, which is where the well-known BytesValue has its own."""
    try:
        return BytesValue.FromString(body).value or None
    except DecodeError as error:
        raise NoAnswer("the answer is not protobuf") from error
