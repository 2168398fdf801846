"""Group commit: requests that wait are checked, logged and synced together, and only then acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from time import perf_counter, time_ns
from typing import Final

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.figures import ReceiverFigures
from vivace.backend.receive.group import Checked, Outcome, checked
from vivace.backend.receive.live_traces import LiveTraces
from vivace.backend.store.log import Entry, LogWriter, payload_of
from vivace.backend.tenant.overrides import Overrides

GROUP_BYTES: Final = 8 << 20
"""A group is closed when it has grown to this."""
GATHER_SECONDS: Final = 0.004
"""Where several senders are at work, so long a group is held open for more: a large one costs less per span."""
WAITING_BYTES: Final = 256 << 20
"""With so much waiting to be logged, no more is taken."""


@dataclass(slots=True)
class _Waiting:
    request: bytes
    tenant: str
    done: asyncio.Future[Outcome]


class Committer:
    """Writes requests to the log from one thread of its own."""

    def __init__(self, writer: LogWriter, figures: ReceiverFigures, overrides: Overrides) -> None:
        """To be made inside the event loop that will wait for commits."""
        self._writer = writer
        self._figures = figures
        self._overrides = overrides
        self._live = LiveTraces()
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._changed = Condition()
        self._last = 0
        self._expected = 0
        self._stopping = False
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Set when there will be no more commits, to an exception when that was not asked for."""
        self._thread = Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    async def commit(self, request: bytes, tenant: str) -> Outcome:
        """Waits until the request is committed, or known to be refused."""
        with self._changed:
            if self._stopping:
                return NotTaken(Cause.UNAVAILABLE, "the backend is stopping; send again later")
            if self._waiting_bytes > WAITING_BYTES:
                return NotTaken(Cause.OVERLOADED, f"{self._waiting_bytes} bytes wait for the disk; send again later")
            waiting = _Waiting(request, tenant, self._loop.create_future())
            self._waiting.append(waiting)
            self._waiting_bytes += len(request)
            if len(self._waiting) == 1 or self._is_enough():
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
        try:
            while group := self._next_group():
                resolved = self._commit(group)
                self._loop.call_soon_threadsafe(_resolve, resolved)
        except BaseException as error:
            self._loop.call_soon_threadsafe(self.ended.set_exception, error)
            raise
        self._loop.call_soon_threadsafe(self.ended.set_result, None)

    def _next_group(self) -> list[_Waiting]:
        """What waits, up to a size; empty when there will be no more."""
        with self._changed:
            self._expected = self._last + len(self._waiting)
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if self._last > 1:
                self._changed.wait_for(lambda: self._is_enough() or self._stopping, GATHER_SECONDS)
            group: list[_Waiting] = []
            size = 0
            while self._waiting and size < GROUP_BYTES:
                group.append(self._waiting.popleft())
                size += len(group[-1].request)
            self._waiting_bytes -= size
            self._last = len(group)
            return group

    def _is_enough(self) -> bool:
        """As many as were there at the last group's end are all that come, if senders wait for answers between two."""
        return self._waiting_bytes >= GROUP_BYTES or len(self._waiting) >= self._expected

    def _commit(self, group: Sequence[_Waiting]) -> list[tuple[_Waiting, Outcome]]:
        started, received_ns = perf_counter(), time_ns()
        tenants: dict[str, list[_Waiting]] = {}
        for waiting in group:
            tenants.setdefault(waiting.tenant, []).append(waiting)
        parts = {tenant: self._checked(tenant, members) for tenant, members in tenants.items()}
        resolved = [pair for tenant, part in parts.items() for pair in zip(tenants[tenant], part.outcomes, strict=True)]
        entries = [
            Entry(tenant, payload_of(part.batch), part.batch.spans, received_ns)
            for tenant, part in parts.items()
            if part.batch is not None
        ]
        try:
            if entries:
                self._writer.append(entries)
        except OSError as error:
            self._figures.not_logged()
            why = NotTaken(Cause.UNAVAILABLE, f"the log cannot be written: {error}; send again later")
            return [(waiting, outcome if isinstance(outcome, NotTaken) else why) for waiting, outcome in resolved]
        if entries:
            self._figures.logged(sum(entry.payload.size for entry in entries), perf_counter() - started)
        for tenant, part in parts.items():
            self._note(tenant, part)
        return resolved

    def _checked(self, tenant: str, members: Sequence[_Waiting]) -> Checked:
        return checked([waiting.request for waiting in members], tenant, self._overrides.of(tenant), self._live)

    def _note(self, tenant: str, part: Checked) -> None:
        if part.verdict is not None:
            self._live.written(part.verdict)
        for reason, spans in part.discarded.items():
            self._figures.discarded(tenant, reason, spans)
        for scope, count in part.cut.items():
            self._figures.attributes_cut(tenant, scope, count)


def _resolve(resolved: Sequence[tuple[_Waiting, Outcome]]) -> None:
    for waiting, outcome in resolved:
        if not waiting.done.done():  # else the client has gone
            waiting.done.set_result(outcome)
