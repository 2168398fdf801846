"""A worker's bookkeeping: what happens to each request goes to the counters, the journal and the ledger."""

from __future__ import annotations

import random
from typing import Final

from vivace.ledger import LedgerWriter
from vivace.send.answer import Answer, Outcome
from vivace.send.board import Acknowledged, Board, Count
from vivace.send.clock import Clock
from vivace.send.contents import Contents
from vivace.send.request import Content, InFlight
from vivace.send.turns import Turn

ENDED_ITEMS: Final = {
    Outcome.ACKNOWLEDGED: Count.ACKNOWLEDGED_ITEMS,
    Outcome.FAILED: Count.FAILED_ITEMS,
    Outcome.UNKNOWN: Count.UNKNOWN_ITEMS,
}
SAMPLE_NS: Final = 500_000_000
"""From one request that is offered for probing to the next, on average."""


class Book:
    """Every request passes here twice: when it starts (or is dropped, once), and when it has ended."""

    def __init__(self, board: Board, ledger: LedgerWriter, contents: Contents, worker: int) -> None:
        self._board = board
        self._counts = board.counts
        self._ledger = ledger
        self._contents = contents
        self._signal = str(contents.signal)
        self._worker = worker
        self._draw = random.Random(worker)  # noqa: S311 - which request is probed is no secret
        self._next_sample_ns = 0

    def dropped(self, turn: Turn, reason: str) -> None:
        """Fell due with no VU free."""
        self._make_room()
        content = self._contents.describe(turn.number)
        place = self._board.journal.begin(turn.number, turn.due_ns, (0, 0), content, turn.kind)
        self._board.journal.end(place, 0, Outcome.DROPPED, 0)
        self._count_offered(content)
        self._counts[Count.DROPPED_ITEMS] += content.items
        dropped = InFlight(turn.number, turn.due_ns, 0, 0, place, content, turn.kind, 0)
        self._write(dropped, None, Answer(Outcome.DROPPED, "", reason), Outcome.DROPPED)

    def started(self, turn: Turn, content: Content, started_ns: int, t0_ns: int) -> InFlight:
        """Is about to be sent for the first time."""
        self._make_room()
        counts = self._counts
        place = self._board.journal.begin(turn.number, turn.due_ns, (started_ns, t0_ns), content, turn.kind)
        self._count_offered(content)
        counts[Count.SENT_ITEMS] += content.items
        counts[Count.SENT_BYTES] += content.size
        counts[Count.IN_FLIGHT] += 1
        counts[Count.DISORDERED] += turn.kind is not None
        return InFlight(turn.number, turn.due_ns, started_ns, t0_ns, place, content, turn.kind)

    def again(self, sent: InFlight, doubtful: bool) -> InFlight:
        """Will be sent once more; `doubtful`: what was sent may have been stored."""
        self._board.journal.again(sent.place)
        self._counts[Count.RETRIES] += 1
        self._counts[Count.RETRIED_BYTES] += sent.content.size
        return sent._replace(attempt=sent.attempt + 1, doubtful=sent.doubtful or doubtful)

    def ended(self, sent: InFlight, ended_ns: int, answer: Answer) -> None:
        """Has its last answer, or will have none."""
        outcome = answer.outcome
        if sent.doubtful and outcome is Outcome.FAILED:
            outcome = Outcome.UNKNOWN  # whatever the last attempt came to, an earlier one may have been stored
        items = sent.content.items
        rejected = min(answer.rejected, items)
        self._board.journal.end(sent.place, ended_ns, outcome, rejected)
        counts = self._counts
        counts[ENDED_ITEMS[outcome]] += items - rejected
        counts[Count.REJECTED_ITEMS] += rejected
        counts[Count.ERRORS] += outcome is not Outcome.ACKNOWLEDGED
        counts[Count.IN_FLIGHT] -= 1
        self._board.responses.put(ended_ns, ended_ns - sent.due_ns)
        if outcome is Outcome.ACKNOWLEDGED and not rejected and sent.kind is None:
            self._offer_sample(sent, ended_ns)
        self._write(sent, ended_ns, answer, outcome)

    def save(self) -> None:
        """Hands the rows so far to the operating system."""
        self._ledger.flush()
        self._board.journal.saved()

    def show_clock_step(self, clock: Clock) -> None:
        """Remembers the farthest that the system's clock was set."""
        step = clock.step_ns()
        if abs(step) > abs(self._counts[Count.CLOCK_STEP_NS]):
            self._counts[Count.CLOCK_STEP_NS] = step

    def _make_room(self) -> None:
        if self._board.journal.full:
            self.save()

    def _count_offered(self, content: Content) -> None:
        self._counts[Count.OFFERED] += 1
        self._counts[Count.OFFERED_ITEMS] += content.items

    def _offer_sample(self, sent: InFlight, ended_ns: int) -> None:
        """Shows some of the requests at the moment they are acknowledged, so that probing need not wait.

        The pauses between are random, so that a template's requests all have their turn.
        """
        if ended_ns < self._next_sample_ns:
            return
        self._next_sample_ns = ended_ns + round(SAMPLE_NS * (0.5 + self._draw.random()))
        self._board.samples.put(*Acknowledged(sent.number, sent.content.template, sent.t0_ns, ended_ns))

    def _write(self, sent: InFlight, ended_ns: int | None, answer: Answer, outcome: Outcome) -> None:
        """In the order of the ledger's columns."""
        content, dropped = sent.content, ended_ns is None
        self._ledger.append(
            (
                sent.number,
                self._signal,
                self._worker,
                content.template,
                sent.due_ns,
                None if dropped else sent.started_ns,
                ended_ns,
                None if dropped else sent.t0_ns,
                content.items,
                content.size,
                outcome.value,
                min(answer.rejected, content.items) if outcome is Outcome.ACKNOWLEDGED else None,
                answer.status or None,
                answer.message,
                None if dropped else sent.attempt,
                sent.kind,
                content.number if content.number != sent.number else None,
            )
        )
