"""Searches over gRPC, whose answer comes in parts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from vivace.query.answer import Answer, Failed, Failure, Found, FoundTrace
from vivace.query.answers.search import ID_DIGITS, Candidate, checked
from vivace.query.bucket import Window
from vivace.query.reading import Readers
from vivace.query.settings import QuerySettings
from vivace.query.tempo_messages import SearchRequest, SearchResponse
from vivace.send.clock import Clock

METHOD: Final = "/tempopb.StreamingQuerier/Search"
LONGEST_MESSAGE: Final = 300
CONNECTION_CODES: Final = frozenset({grpc.StatusCode.UNAVAILABLE})


class StreamingClient:
    """One channel, which carries all searches."""

    def __init__(self, settings: QuerySettings, clock: Clock, readers: Readers) -> None:
        self._settings = settings
        self._clock = clock
        self._readers = readers
        options = [("grpc.max_receive_message_length", settings.largest_answer)]
        target, secure = _target(settings)
        self._channel = (
            grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options)
            if secure
            else grpc.aio.insecure_channel(target, options)
        )
        self._search: Any = self._channel.unary_stream(METHOD)

    async def close(self) -> None:
        """Ends the channel and what it carries."""
        await self._channel.close()

    async def search(self, traceql: str, window: Window | None, headers: Mapping[str, str]) -> Answer:
        """The last part of the answer, with what came before it."""
        request = SearchRequest(query=traceql, limit=self._settings.limit)
        if window is not None:
            request.start, request.end = window  # type: ignore[attr-defined]
        size = 0
        parts: list[bytes] = []
        metadata = [(name.lower(), value) for name, value in headers.items()]
        try:
            call = self._search(
                request.SerializeToString(), timeout=self._settings.timeout_s, metadata=grpc.aio.Metadata(*metadata)
            )
            async for part in call:
                parts.append(part)
                size += len(part)
                if size > self._settings.largest_answer:
                    call.cancel()
                    message = f"the answer is larger than {self._settings.largest_answer} bytes"
                    return self._failure(None, size, Failed(Failure.UNREADABLE, message))
        except grpc.aio.AioRpcError as error:
            return self._refused(error, size)
        ended_ns = self._clock.now_ns()
        try:
            read = partial(read_parts, [len(part) for part in parts], window=window, limit=self._settings.limit)
            return Answer(ended_ns, 0, size, await self._readers.read(read, b"".join(parts)))
        except Failed as failed:
            return self._failure(0, size, failed)

    def _refused(self, error: grpc.aio.AioRpcError, size: int) -> Answer:
        code = error.code()
        words = f"{code.name}: {error.details() or ''}".strip(": ")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._failure(
                None, size, Failed(Failure.TIMEOUT, f"no whole answer within {self._settings.timeout_s:g} s")
            )
        failure = Failure.CONNECTION if code in CONNECTION_CODES else Failure.STATUS
        return self._failure(code.value[0], size, Failed(failure, words))

    def _failure(self, status: int | None, size: int, failed: Failed) -> Answer:
        message = str(failed)[:LONGEST_MESSAGE]
        return Answer(self._clock.now_ns(), status, size, failure=failed.failure, message=message)


def read_parts(sizes: list[int], body: bytes, window: Window | None, limit: int) -> Found:
    """Parts of these sizes, one after the other. Later ones tell of traces again, in full, when they know more of
    them; Failed when they cannot be right.
    """
    edges = accumulate(sizes, initial=0)
    parts = (body[start:stop] for start, stop in pairwise(edges))
    candidates: dict[str, Candidate] = {}
    inspected: int | None = None
    try:
        for part in parts:
            response: Any = SearchResponse.FromString(part)
            candidates |= {one.trace.trace_id: one for one in map(_candidate, response.traces)}
            if response.HasField("metrics"):
                inspected = max(inspected or 0, response.metrics.inspected_spans)
    except DecodeError as error:
        raise Failed(Failure.UNREADABLE, f"no answer to a search: {error}") from None
    return checked(candidates.values(), inspected, window, limit)


def _candidate(trace: Any) -> Candidate:
    sets = list(trace.span_sets) or ([trace.span_set] if trace.HasField("span_set") else [])
    found = FoundTrace(
        trace.trace_id.lower().rjust(ID_DIGITS, "0"),
        sum(spanset.matched for spanset in sets) if sets else None,
        tuple(span.span_id.lower() for spanset in sets for span in spanset.spans),
    )
    return Candidate(found, trace.start_time_unix_nano or None, trace.duration_ms * 1_000_000)


def _target(settings: QuerySettings) -> tuple[str, bool]:
    """host:port, and whether it is spoken to over TLS: the query API's own unless another is named."""
    if settings.grpc_endpoint is not None:
        return settings.grpc_endpoint, False
    parts = urlsplit(settings.base_url)
    secure = parts.scheme == "https"
    return f"{parts.hostname}:{parts.port or (443 if secure else 80)}", secure
