"""Asks Tempo's query API, with bounds on how long an answer may take and how large it may be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final

from vivace import __version__
from vivace.query.answer import Answer, Failed, Failure, Found
from vivace.query.bucket import Window
from vivace.query.http.connection import Closed
from vivace.query.http.pool import Exchange, Origin, Pool
from vivace.query.http.response import NotHttp, ResponseReader, TooLarge
from vivace.query.kind import Kind
from vivace.query.plan import NamedQuery
from vivace.query.reading import Readers
from vivace.query.requests import Request, request_for, request_for_trace
from vivace.query.settings import LONGEST_WAIT_S, QuerySettings
from vivace.query.streaming import StreamingClient
from vivace.send.clock import Clock

LONGEST_MESSAGE: Final = 300
MANY_TRACES: Final = 60
"""From here on an answer to a search may be large."""
FIRST_BACKOFF_S: Final = 0.1
TOKEN_AGE_S: Final = 60.0
"""After which a token's file is read again: its content is renewed from time to time."""
TRANSIENT: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
SERVICE_AUTHORITY: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/service-ca.crt")
"""Signs the certificates of services inside a cluster; trusted where it is."""


class Client:
    """Connections to one target. A request always ends in an Answer, whatever becomes of it."""

    def __init__(self, settings: QuerySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._origin = Origin.of(settings.base_url)
        self._only_older: set[str] = set()
        self._pool = Pool(self._origin, clock.now_ns, settings.largest_answer, tls_context(settings))
        self._readers = Readers()
        self._streaming = StreamingClient(settings, clock, self._readers) if settings.streams else None
        self._head = b""
        self._head_read_s = 0.0

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()
        if self._streaming is not None:
            await self._streaming.close()
        await self._readers.close()
        await asyncio.sleep(0)  # lets the connections say goodbye

    async def prepare(self) -> None:
        """What would be in the way later is done now, where answers may be large."""
        if self._settings.limit >= MANY_TRACES or any(query.kind.is_metrics for query in self._settings.queries):
            await self._readers.start()

    async def ask(self, query: NamedQuery, window: Window | None) -> Answer:
        """The answer to a query of any kind that does not open a trace."""
        if query.kind is Kind.STREAMING_SEARCH:
            assert self._streaming is not None  # noqa: S101 - there is one when a query of this kind is
            return await self._streaming.search(query.traceql, window, self._headers())
        request = request_for(query, window, self._settings.limit)
        return await self._newest(query.kind, request)

    async def trace(self, trace_id: str, exists: bool = True) -> Answer:
        """A whole trace; when it `exists`, an answer without it is wrong."""
        answer = await self._newest("trace", request_for_trace(trace_id))
        found = answer.found
        if not exists or found is None or found.traces:
            return answer
        message = f"trace {trace_id} is not there"
        return Answer(answer.ended_ns, answer.status, answer.size, failure=Failure.WRONG, message=message)

    async def echo(self) -> Answer:
        """Whether the target is there: any answer but a server's error will do."""
        return await self._attempt(Request("/api/echo", "*/*", lambda _: Found()))

    async def _newest(self, kind: str, request: Request) -> Answer:
        """From the second version of the API, or from the first where there is no second."""
        if request.older is None:
            return await self._patiently(request)
        if kind not in self._only_older:
            answer = await self._patiently(request)
            if answer.status != HTTPStatus.NOT_FOUND:
                return answer
        answer = await self._patiently(request.older)
        if answer.status == HTTPStatus.OK:
            self._only_older.add(kind)
        return _absent(answer) if kind == "trace" else answer

    async def _patiently(self, request: Request) -> Answer:
        """Tries again as often as the settings allow; waits before that as long as the target asks for."""
        answer, retries = await self._attempt(request), 0
        while retries < self._settings.retries and _is_transient(answer):
            wait_s = answer.retry_after_s if answer.retry_after_s is not None else FIRST_BACKOFF_S * 2**retries
            await asyncio.sleep(min(wait_s, LONGEST_WAIT_S))
            answer, retries = await self._attempt(request), retries + 1
        return replace(answer, retries=retries) if retries else answer

    async def _attempt(self, request: Request) -> Answer:
        exchange = Exchange()
        text = f"GET {self._origin.prefix}{request.path} HTTP/1.1\r\nAccept: {request.accept}\r\n"
        try:
            ended_ns, reader = await self._pool.ask(text.encode() + self._fields(), self._settings.timeout_s, exchange)
        except (Closed, NotHttp, TooLarge, OSError) as error:
            return _failure(self._clock.now_ns(), exchange.reader, self._failed(error, exchange.reader))
        try:
            if reader.status != HTTPStatus.OK:
                words = reader.body[:LONGEST_MESSAGE].decode(errors="replace").strip()
                raise Failed(Failure.STATUS, words)
            found = await self._readers.read(request.read, bytes(reader.body))
            return Answer(ended_ns, reader.status, len(reader.body), found)
        except Failed as failed:
            return _failure(ended_ns, reader, failed)

    def _failed(self, error: Exception, reader: ResponseReader | None) -> Failed:
        match error:
            case TimeoutError():
                return Failed(Failure.TIMEOUT, f"no whole answer within {self._settings.timeout_s:g} s")
            case TooLarge():
                return Failed(Failure.UNREADABLE, f"the answer is larger than {self._settings.largest_answer} bytes")
            case NotHttp():
                began = reader is not None and reader.status is not None
                return Failed(Failure.UNREADABLE, f"the answer {'broke off' if began else 'is not HTTP'}: {error}")
            case _:
                return Failed(Failure.CONNECTION, str(error) or type(error).__name__)

    def _headers(self) -> Mapping[str, str]:
        return self._settings.all_headers()

    def _fields(self) -> bytes:
        """The headers that all requests share, and the empty line that ends them."""
        now_s = self._clock.now_ns() / 1e9
        if now_s - self._head_read_s > TOKEN_AGE_S:
            fields = {"Host": self._origin.authority, "Accept-Encoding": "gzip", "User-Agent": f"vivace/{__version__}"}
            lines = (f"{name}: {value}\r\n" for name, value in (fields | dict(self._headers())).items())
            self._head, self._head_read_s = "".join(lines).encode() + b"\r\n", now_s
        return self._head


def tls_context(settings: QuerySettings) -> ssl.SSLContext | None:
    """How the target's certificate is checked; None for plain HTTP."""
    if not settings.base_url.startswith("https:"):
        return None
    context = ssl.create_default_context()
    for authority in (settings.tls_authority, SERVICE_AUTHORITY):
        if authority is not None and authority.exists():
            context.load_verify_locations(authority)
    if not settings.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_transient(answer: Answer) -> bool:
    return answer.failure is Failure.CONNECTION or (answer.failure is Failure.STATUS and answer.status in TRANSIENT)


def _absent(answer: Answer) -> Answer:
    """That neither version of the API has the trace is an answer too."""
    if answer.status == HTTPStatus.NOT_FOUND and answer.failure is Failure.STATUS:
        return Answer(answer.ended_ns, answer.status, answer.size, Found(traces=0, spans=0), retries=answer.retries)
    return answer


def _failure(ended_ns: int, reader: ResponseReader | None, failed: Failed) -> Answer:
    return Answer(
        ended_ns,
        reader.status if reader else None,
        len(reader.body) if reader else 0,
        failure=failed.failure,
        message=str(failed)[:LONGEST_MESSAGE] or None,
        retry_after_s=_retry_after(reader) if reader else None,
    )


def _retry_after(reader: ResponseReader) -> float | None:
    """In seconds; a date is not taken."""
    value = reader.headers.get(b"retry-after", b"")
    return min(float(value), LONGEST_WAIT_S) if value.isdigit() else None
