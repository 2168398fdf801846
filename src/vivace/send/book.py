"""A worker's bookkeeping: what happens to each request goes to the counters, the journal and the ledger."""

from __future__ import annotations

import random
from typing import Final

from vivace.ledger import LedgerWriter
from vivace.send.answer import Answer, Outcome
from vivace.send.board import Acknowledged, Board, Count
from vivace.send.clock import Clock
from vivace.send.request import InFlight
from vivace.telemetry.template import Template

ENDED_ITEMS: Final = {
    Outcome.ACKNOWLEDGED: Count.ACKNOWLEDGED_ITEMS,
    Outcome.FAILED: Count.FAILED_ITEMS,
    Outcome.UNKNOWN: Count.UNKNOWN_ITEMS,
}


class Book:
    """Every request passes here twice: when it starts (or is dropped, once), and when it has ended."""

    def __init__(self, board: Board, ledger: LedgerWriter, template: Template, worker: int) -> None:
        self._board = board
        self._counts = board.counts
        self._ledger = ledger
        self._signal = str(template.signal)
        self._worker = worker
        self._items: list[int] = template.requests.items.tolist()
        self._bytes: list[int] = (template.requests.stop - template.requests.start).tolist()
        self._draw = random.Random(worker)  # noqa: S311 - which request is probed is no secret
        self._sample: Acknowledged | None = None
        self._sampled_from = 0

    def dropped(self, number: int, due_ns: int, reason: str) -> None:
        """Fell due with no VU free."""
        self._make_room()
        request = number % len(self._items)
        place = self._board.journal.begin(number, due_ns, 0, 0)
        self._board.journal.end(place, 0, Outcome.DROPPED, 0)
        self._count_offered(request)
        self._counts[Count.DROPPED_ITEMS] += self._items[request]
        self._write(number, due_ns, (None, None, None), Answer(Outcome.DROPPED, "", reason))

    def started(self, number: int, due_ns: int, started_ns: int, t0_ns: int) -> InFlight:
        """Is about to be sent."""
        self._make_room()
        request = number % len(self._items)
        place = self._board.journal.begin(number, due_ns, started_ns, t0_ns)
        self._count_offered(request)
        self._counts[Count.SENT_ITEMS] += self._items[request]
        self._counts[Count.SENT_BYTES] += self._bytes[request]
        self._counts[Count.IN_FLIGHT] += 1
        return InFlight(number, due_ns, started_ns, t0_ns, place)

    def ended(self, sent: InFlight, ended_ns: int, answer: Answer) -> None:
        """Has its answer, or will have none."""
        request = sent.number % len(self._items)
        items = self._items[request]
        rejected = min(answer.rejected, items)
        self._board.journal.end(sent.place, ended_ns, answer.outcome, rejected)
        self._counts[ENDED_ITEMS[answer.outcome]] += items - rejected
        self._counts[Count.REJECTED_ITEMS] += rejected
        self._counts[Count.IN_FLIGHT] -= 1
        self._board.responses.put(ended_ns, ended_ns - sent.due_ns)
        if answer.outcome is Outcome.ACKNOWLEDGED and not rejected:
            self._offer_sample(Acknowledged(sent.number, request, sent.t0_ns, ended_ns))
        self._write(sent.number, sent.due_ns, (sent.started_ns, ended_ns, sent.t0_ns), answer)

    def save(self) -> None:
        """Hands the rows so far to the operating system."""
        self._ledger.flush()
        self._board.journal.saved()

    def show_sample(self) -> None:
        """Offers for probing one of the requests acknowledged since the last call, if any, all equally likely."""
        if self._sample is not None:
            self._board.samples.put(*self._sample)
        self._sample, self._sampled_from = None, 0

    def show_clock_step(self, clock: Clock) -> None:
        """Remembers the farthest that the system's clock was set."""
        step = clock.step_ns()
        if abs(step) > abs(self._counts[Count.CLOCK_STEP_NS]):
            self._counts[Count.CLOCK_STEP_NS] = step

    def _make_room(self) -> None:
        if self._board.journal.full:
            self.save()

    def _count_offered(self, request: int) -> None:
        self._counts[Count.OFFERED] += 1
        self._counts[Count.OFFERED_ITEMS] += self._items[request]

    def _offer_sample(self, acknowledged: Acknowledged) -> None:
        self._sampled_from += 1
        if self._draw.random() * self._sampled_from < 1.0:
            self._sample = acknowledged

    def _write(
        self, number: int, due_ns: int, times: tuple[int | None, int | None, int | None], answer: Answer
    ) -> None:
        """In the order of the ledger's columns."""
        request = number % len(self._items)
        started_ns, ended_ns, t0_ns = times
        rejected = min(answer.rejected, self._items[request]) if answer.outcome is Outcome.ACKNOWLEDGED else None
        self._ledger.append(
            (
                number,
                self._signal,
                self._worker,
                request,
                due_ns,
                started_ns,
                ended_ns,
                t0_ns,
                self._items[request],
                self._bytes[request],
                answer.outcome.value,
                rejected,
                answer.status or None,
                answer.message,
            )
        )
