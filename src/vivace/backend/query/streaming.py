"""Tempo's gRPC query service: the same answers as over HTTP, in messages, with partial ones while a query runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Final

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from vivace.backend.access.access import Access
from vivace.backend.access.address import Address
from vivace.backend.access.rpc import CONNECTION_BOUNDS, bind
from vivace.backend.query.exposition import Metrics
from vivace.backend.query.parameters import metrics_parameters, search_parameters
from vivace.backend.query.querier import Check, Offer, Querier
from vivace.backend.query.queriers import Queriers, Reading
from vivace.backend.query.shown import Json
from vivace.backend.query.tags_api import names_v1, names_v2, values_v1, values_v2
from vivace.backend.query.tempopb import MESSAGES, SERVICE, message
from vivace.backend.query.unforeseen import Unforeseen
from vivace.backend.query.workers import Abandoned, Overloaded, TimedOut, Workers
from vivace.backend.tenant.identity import HEADER, TenantError
from vivace.errors import QueryError, VivaceError

PACKET_BYTES: Final = 1 << 20
EVERY_S: Final = 0.3
"""Partial answers are sent at most so often."""
OPEN: Final = Access()
"""Everyone may call, in the clear."""
_OWN_OPTIONS: Final = {
    "grpc.so_reuseport": 0,  # so that a port in use is noticed
    "grpc.max_concurrent_streams": 256,
}
_OPTIONS: Final = tuple((dict(CONNECTION_BOUNDS) | _OWN_OPTIONS).items())

Context = grpc.aio.ServicerContext[bytes, bytes]
Work = Callable[[Reading, Message, Check, Offer], Json]
"""What answers a request of the method's kind."""


def streaming_server(
    queriers: Queriers,
    workers: Workers,
    metrics: Metrics,
    address: str,
    access: Access = OPEN,
    *,
    unforeseen: Unforeseen | None = None,
) -> tuple[grpc.aio.Server, Address]:
    """A server that is not started yet, and where it will listen. TargetError when the address cannot be used."""
    server = grpc.aio.server(interceptors=access.interceptors(), options=_OPTIONS)
    reported = unforeseen or Unforeseen()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        name: grpc.unary_stream_rpc_method_handler(_Method(name, queriers, workers, metrics, reported).answer)
        for name in _METHODS
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    return server, bind(server, address, "--grpc", access.tls)


class _Method:
    """One method of the service."""

    def __init__(
        self, name: str, queriers: Queriers, workers: Workers, metrics: Metrics, unforeseen: Unforeseen
    ) -> None:
        self._route = f"/{SERVICE}/{name}"
        request, self._kind, self._operation, self._work = _METHODS[name]
        self._request = MESSAGES[request]
        self._queriers, self._workers, self._metrics = queriers, workers, metrics
        self._unforeseen = unforeseen

    async def answer(self, request: bytes, context: Context) -> None:
        """Partial answers as they come, and the whole one last."""
        started = time.perf_counter()
        code, said = grpc.StatusCode.CANCELLED, ""
        try:
            code, said = await self._send(request, context)
        finally:
            self._metrics.observe("gRPC", self._route, code.name.lower(), time.perf_counter() - started)
        if code is not grpc.StatusCode.OK:
            await context.abort(code, said)

    async def _send(self, request: bytes, context: Context) -> tuple[grpc.StatusCode, str]:
        """How it went. gRPC keeps what it aborts with, and what that holds: so nothing of a query may be left here."""
        try:
            reading = self._queriers.reading(_organisation(context))
            async with aclosing(self._answers(reading, self._request.FromString(request))) as answers:
                async for answer in answers:
                    for packet in _packets(answer):
                        await context.write(packet)
        except tuple(_CODES) as error:
            _forget(error)
            return _code(error), _said(error)
        except Exception as error:  # whatever it is, it is said in one line and reported
            said = self._unforeseen.said(error)
            _forget(error)
            return grpc.StatusCode.INTERNAL, said
        return grpc.StatusCode.OK, ""

    async def _answers(self, reading: Reading, asked: Message) -> AsyncGenerator[Message, None]:
        gone, loop = threading.Event(), asyncio.get_running_loop()
        partial = _Latest()
        offer = _Offering(lambda answer: loop.call_soon_threadsafe(partial.put, self._message(answer)))
        running = asyncio.ensure_future(
            self._workers.answer(
                lambda check: self._message(self._work(reading, asked, check, offer)), gone, reading.allowance
            )
        )
        running.add_done_callback(lambda _: partial.end())
        try:
            with self._metrics.counted(reading.tenant, self._operation):
                while (answer := await partial.get()) is not None:
                    yield answer
                yield await running
        finally:
            gone.set()
            running.cancel()

    def _message(self, answer: Json) -> Message:
        """Made by the thread that found the answer, so that no other call waits for that."""
        return message(self._kind, answer)


class _Latest:
    """The latest partial answer: a client that reads slowly misses those before it."""

    def __init__(self) -> None:
        self._answer: Message | None = None
        self._ended = False
        self._changed = asyncio.Event()

    def put(self, answer: Message) -> None:
        self._answer = answer
        self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def get(self) -> Message | None:
        """None at the end."""
        await self._changed.wait()
        answer, self._answer = self._answer, None
        if not self._ended:
            self._changed.clear()
        return answer


class _Offering:
    """Takes a partial answer from a query now and then."""

    def __init__(self, take: Callable[[Json], object]) -> None:
        self._take = take
        self._last = time.monotonic()

    def __call__(self, make: Callable[[], Json]) -> None:
        if time.monotonic() - self._last >= EVERY_S:
            self._take(make())
            self._last = time.monotonic()


_CODES: Final[Mapping[type[BaseException], grpc.StatusCode]] = {
    TenantError: grpc.StatusCode.INVALID_ARGUMENT,
    QueryError: grpc.StatusCode.INVALID_ARGUMENT,
    DecodeError: grpc.StatusCode.INVALID_ARGUMENT,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Abandoned: grpc.StatusCode.CANCELLED,
    grpc.aio.BaseError: grpc.StatusCode.CANCELLED,  # nothing can be sent any more
    TimedOut: grpc.StatusCode.INTERNAL,
    VivaceError: grpc.StatusCode.INTERNAL,
    OSError: grpc.StatusCode.INTERNAL,
}
_TEXTS: Final[Mapping[type[BaseException], str]] = {
    Abandoned: "the client has gone",
    TimedOut: "the query took longer than is allowed",
    DecodeError: "the request is not a message of this method",
}


def _code(error: BaseException) -> grpc.StatusCode:
    if isinstance(error, TenantError):
        return grpc.StatusCode.UNAUTHENTICATED if error.status == 401 else grpc.StatusCode.INVALID_ARGUMENT
    return next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)


def _said(error: BaseException) -> str:
    return _TEXTS.get(type(error), str(error))


def _forget(error: BaseException | None) -> None:
    """Lets go the frames that an error has passed, with all they hold; some of them hold the error."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _organisation(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == HEADER.lower():
            return value if isinstance(value, str) else value.decode(errors="replace")
    return None


def _given(asked: Message) -> Mapping[str, str]:
    """A request as the parameters of the HTTP API, but for tags; what is empty or zero is not given."""
    fields: Mapping[str, Any] = MessageToDict(asked, preserving_proto_field_name=True)
    given = {_NAMES.get(name, name): value for name, value in fields.items() if name != _TAGS}
    for name in ("minDuration", "maxDuration"):
        if name in given:
            given[name] = f"{given[name]}ms"
    if "step" in given:
        given["step"] = f"{given['step']}ns"
    return {name: str(value) for name, value in given.items()}


_TAGS: Final = "Tags"
_NAMES: Final = {
    "MinDurationMs": "minDuration",
    "MaxDurationMs": "maxDuration",
    "Limit": "limit",
    "Query": "q",
    "query": "q",
    "SpansPerSpanSet": "spss",
    "maxTagsPerScope": "limit",
    "maxTagValues": "limit",
}


def _packets(whole: Message) -> Iterable[bytes]:
    """A message in pieces of a megabyte: those after the first go on with its list."""
    packed = whole.SerializeToString()
    lists = [field.name for field, _ in whole.ListFields() if field.is_repeated]
    if len(packed) <= PACKET_BYTES or not lists:
        yield packed
        return
    entries = list(getattr(whole, lists[0]))
    whole.ClearField(lists[0])
    piece, size = whole, 0
    for entry in entries:
        mine = len(entry) if isinstance(entry, str) else entry.ByteSize()
        if size and size + mine > PACKET_BYTES:
            yield piece.SerializeToString()
            piece, size = type(whole)(), 0
        getattr(piece, lists[0]).append(entry)
        size += mine
    yield piece.SerializeToString()


def _search(reading: Reading, asked: Message, check: Check, offer: Offer) -> Json:
    tags: Mapping[str, str] = dict(getattr(asked, _TAGS))
    parameters = search_parameters(_given(asked), time.time_ns(), reading.search_ns, tags)
    return reading.querier.search(parameters, check, offer)


def _range(reading: Reading, asked: Message, check: Check, offer: Offer) -> Json:
    parameters = metrics_parameters(_given(asked), time.time_ns(), reading.metrics_ns)
    return reading.querier.metrics_range(parameters, check, offer)


def _instant(reading: Reading, asked: Message, check: Check, _: Offer) -> Json:
    parameters = metrics_parameters(_given(asked), time.time_ns(), reading.metrics_ns)
    return reading.querier.metrics_instant(parameters, check)


def _tags(answer: Callable[[Querier, Mapping[str, str], Check], Json]) -> Work:
    return lambda reading, asked, check, _: answer(reading.querier, _given(asked), check)


def _values(answer: Callable[[Querier, str, Mapping[str, str], Check], Json]) -> Work:
    def work(reading: Reading, asked: Message, check: Check, _: Offer) -> Json:
        given = _given(asked)
        return answer(reading.querier, given.get("tagName", ""), given, check)

    return work


_METHODS: Final[Mapping[str, tuple[str, str, str, Work]]] = {
    "Search": ("SearchRequest", "SearchResponse", "search", _search),
    "SearchTags": ("SearchTagsRequest", "SearchTagsResponse", "metadata", _tags(names_v1)),
    "SearchTagsV2": ("SearchTagsRequest", "SearchTagsV2Response", "metadata", _tags(names_v2)),
    "SearchTagValues": ("SearchTagValuesRequest", "SearchTagValuesResponse", "metadata", _values(values_v1)),
    "SearchTagValuesV2": ("SearchTagValuesRequest", "SearchTagValuesV2Response", "metadata", _values(values_v2)),
    "MetricsQueryRange": ("QueryRangeRequest", "QueryRangeResponse", "metrics", _range),
    "MetricsQueryInstant": ("QueryInstantRequest", "QueryInstantResponse", "metrics", _instant),
}
