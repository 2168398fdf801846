"""Asks Tempo's query API over HTTP, with bounds on how long an answer may take and how large it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Final

import aiohttp

from vivace.query.answer import Answer, Failed, Failure, Found, read_search, read_trace, read_trace_v1
from vivace.query.bucket import Window
from vivace.query.settings import QuerySettings
from vivace.send.clock import Clock

LONGEST_MESSAGE: Final = 300
JSON: Final = "application/json"
PROTOBUF: Final = "application/protobuf"


class Client:
    """Connections to one target. A request always ends in an Answer, whatever becomes of it."""

    def __init__(self, settings: QuerySettings, clock: Clock) -> None:
        self._url = settings.base_url.rstrip("/")
        self._limit = settings.limit
        self._timeout_s = settings.timeout_s
        self._largest = settings.largest_answer
        self._clock = clock
        self._only_v1 = False
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # users bound what is in flight
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
            headers=settings.all_headers(),
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def search(self, traceql: str, window: Window) -> Answer:
        """At most `limit` traces that match, of the target's choice."""
        params: dict[str, str | int] = {
            "q": traceql,
            "limit": self._limit,
            "start": window.start_s,
            "end": window.end_s,
        }
        return await self._ask("/api/search", JSON, params, partial(read_search, window=window, limit=self._limit))

    async def trace(self, trace_id: str) -> Answer:
        """A whole trace; from the first version of the API where there is no second."""
        if not self._only_v1:
            path = f"/api/v2/traces/{trace_id}"
            answer = await self._ask(path, PROTOBUF, {}, partial(read_trace, trace_id=trace_id))
            if answer.status != HTTPStatus.NOT_FOUND:
                return answer
        answer = await self._ask(f"/api/traces/{trace_id}", PROTOBUF, {}, partial(read_trace_v1, trace_id=trace_id))
        self._only_v1 = answer.status == HTTPStatus.OK
        return answer

    async def _ask(
        self, path: str, accept: str, params: Mapping[str, str | int], read: Callable[[bytes], Found]
    ) -> Answer:
        body = bytearray()
        status: int | None = None
        try:
            async with self._session.get(
                self._url + path, params=params, headers={"Accept": accept}, allow_redirects=False
            ) as response:
                status = response.status
                await self._receive(response, body)
        except (Failed, TimeoutError, aiohttp.ClientError, OSError) as error:
            return _failure(self._clock.now_ns(), status, body, self._failed(error))
        ended_ns = self._clock.now_ns()
        try:
            if status != HTTPStatus.OK:
                raise Failed(Failure.STATUS, body[:LONGEST_MESSAGE].decode(errors="replace").strip())
            return Answer(ended_ns, status, len(body), read(bytes(body)))
        except Failed as failed:
            return _failure(ended_ns, status, body, failed)

    async def _receive(self, response: aiohttp.ClientResponse, body: bytearray) -> None:
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > self._largest:
                response.close()
                raise Failed(Failure.UNREADABLE, f"the answer is larger than {self._largest} bytes")

    def _failed(self, error: Exception) -> Failed:
        match error:
            case Failed():
                return error
            case TimeoutError():
                return Failed(Failure.TIMEOUT, f"no whole answer within {self._timeout_s:g} s")
            case aiohttp.ClientPayloadError():
                return Failed(Failure.UNREADABLE, f"the answer broke off: {error}")
            case aiohttp.ClientConnectionError() | OSError():
                return Failed(Failure.CONNECTION, str(error) or type(error).__name__)
            case _:
                return Failed(Failure.UNREADABLE, f"the answer is not HTTP: {error}")


def _failure(ended_ns: int, status: int | None, body: bytearray, failed: Failed) -> Answer:
    message = str(failed)[:LONGEST_MESSAGE] or None
    return Answer(ended_ns, status, len(body), failure=failed.failure, message=message)
