"""Group commit: requests that wait are checked, logged and synced together, and only then acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from time import perf_counter, time_ns
from typing import Final

import pyarrow as pa

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.figures import ReceiverFigures
from vivace.backend.store.batch import Batch
from vivace.backend.store.flatten import flatten_counted
from vivace.backend.store.log import Entry, LogWriter, payload_of
from vivace.backend.store.otlp import Refused
from vivace.backend.store.values import check
from vivace.backend.tenant.identity import SINGLE_TENANT

GROUP_BYTES: Final = 8 << 20
"""A group is closed when it has grown to this."""
GATHER_SECONDS: Final = 0.004
"""Where several senders are at work, so long a group is held open for more: a large one costs less per span."""
WAITING_BYTES: Final = 256 << 20
"""With so much waiting to be logged, no more is taken."""

Outcome = int | NotTaken
"""The number of spans that are on disk, or why there are none."""

_CAUSES: Final = {cause.reason: cause for cause in (Cause.MALFORMED, Cause.TRACE_ID, Cause.SPAN_ID)}


@dataclass(slots=True)
class _Waiting:
    request: bytes
    done: asyncio.Future[int]


class Committer:
    """Writes requests to the log from one thread of its own."""

    def __init__(self, writer: LogWriter, figures: ReceiverFigures) -> None:
        """To be made inside the event loop that will wait for commits."""
        self._writer = writer
        self._figures = figures
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._changed = Condition()
        self._several = False
        self._stopping = False
        self._thread = Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    async def commit(self, request: bytes) -> int:
        """Waits until the request is on disk; returns its number of spans. NotTaken when it will not be."""
        with self._changed:
            if self._stopping:
                raise NotTaken(Cause.UNAVAILABLE, "the backend is stopping; send again later")
            if self._waiting_bytes > WAITING_BYTES:
                raise NotTaken(Cause.OVERLOADED, f"{self._waiting_bytes} bytes wait for the disk; send again later")
            waiting = _Waiting(request, self._loop.create_future())
            self._waiting.append(waiting)
            self._waiting_bytes += len(request)
            self._changed.notify()
        return await waiting.done

    def stop(self) -> None:
        """Takes no more, logs what waits, and closes the log."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        self._writer.close()

    def _run(self) -> None:
        while group := self._next_group():
            outcomes = self._commit([waiting.request for waiting in group])
            self._loop.call_soon_threadsafe(_resolve, group, outcomes)

    def _next_group(self) -> list[_Waiting]:
        """What waits, up to a size; empty when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if self._several:
                self._changed.wait_for(lambda: self._waiting_bytes >= GROUP_BYTES or self._stopping, GATHER_SECONDS)
            group: list[_Waiting] = []
            size = 0
            while self._waiting and size < GROUP_BYTES:
                group.append(self._waiting.popleft())
                size += len(group[-1].request)
            self._waiting_bytes -= size
            self._several = len(group) > 1
            return group

    def _commit(self, requests: Sequence[bytes]) -> list[Outcome]:
        started, received_ns = perf_counter(), time_ns()
        try:
            checked = _checked(requests)
            if checked.batch is not None and checked.batch.spans:
                payload = payload_of(checked.batch)
                self._writer.append([Entry(SINGLE_TENANT, payload, checked.batch.spans, received_ns)])
                self._figures.logged(payload.size, perf_counter() - started)
        except OSError as error:
            return [NotTaken(Cause.UNAVAILABLE, f"the log cannot be written: {error}; send again later")] * len(
                requests
            )
        return checked.outcomes


@dataclass(frozen=True, slots=True)
class _Checked:
    batch: Batch | None
    outcomes: list[Outcome]


def _checked(requests: Sequence[bytes]) -> _Checked:
    """All requests as one batch; when any of them is refused, the others without it."""
    try:
        batch, counts = _decoded(requests)
        return _Checked(batch, list(counts))
    except Refused as refused:
        if len(requests) == 1:
            return _Checked(None, [_not_taken(refused)])
    outcomes: list[Outcome] = [_checked([request]).outcomes[0] for request in requests]
    good = [request for request, outcome in zip(requests, outcomes, strict=True) if isinstance(outcome, int)]
    return _Checked(_decoded(good)[0] if good else None, outcomes)


def _decoded(requests: Sequence[bytes]) -> tuple[Batch, list[int]]:
    batch, counts = flatten_counted(requests)
    check(pa.concat_arrays([lists.messages for lists in batch.attributes.values()]))
    return batch, counts


def _not_taken(refused: Refused) -> NotTaken:
    return NotTaken(_CAUSES[refused.reason], str(refused), refused.spans)


def _resolve(group: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
    for waiting, outcome in zip(group, outcomes, strict=True):
        if waiting.done.done():
            continue  # the client has gone
        if isinstance(outcome, NotTaken):
            waiting.done.set_exception(outcome)
        else:
            waiting.done.set_result(outcome)
