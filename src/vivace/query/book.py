"""Bookkeeping of the asking process: what becomes of each query goes to counters, ledger and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from vivace.ledger import QUERIES, LedgerWriter, row
from vivace.query.answer import Answer
from vivace.query.board import Board, Count
from vivace.query.bucket import Window
from vivace.query.exposition import Exposition
from vivace.query.keeper import Keeper
from vivace.query.kind import Kind
from vivace.query.plan import Question
from vivace.send.clock import Clock


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was started; times are Unix nanoseconds."""

    number: int
    question: Question
    name: str
    """Of the query; of a trace that is opened the one of the search that found it."""
    kind: Kind
    step: int
    window: Window | None
    due_ns: int
    started_ns: int
    trace_id: str | None = None

    def named(self) -> dict[str, object]:
        """The part of the row that is known from the start."""
        return {
            "query": self.number,
            "name": self.name,
            "bucket": self.question.bucket.name if self.question.bucket else None,
            "kind": self.kind.value,
            "due_ns": self.due_ns,
            "started_ns": self.started_ns,
            "window_start_s": self.window.start_s if self.window else None,
            "window_end_s": self.window.end_s if self.window else None,
            "trace_id": self.trace_id,
            "journey": self.question.journey,
            "step": self.step,
        }


class Book:
    """Every request passes here when it starts and when it has ended, or once when it is dropped."""

    def __init__(
        self,
        board: Board,
        ledger: LedgerWriter,
        clock: Clock,
        keeper: Keeper | None = None,
        exposition: Exposition | None = None,
    ) -> None:
        self._board = board
        self._counts = board.counts
        self._ledger = ledger
        self._clock = clock
        self._keeper = keeper
        self._exposition = exposition

    def dropped(self, number: int, question: Question, window: Window | None, due_ns: int, reason: str) -> None:
        """Fell due with no user free."""
        self._counts[Count.OFFERED] += 1
        self._counts[Count.DROPPED] += 1
        query = question.turns[0].query if question.turns else None
        kind = query.kind if query else Kind.SEARCH
        named = Asked(number, question, query.name if query else question.name, kind, 0, window, due_ns, 0).named()
        self._write({**named, "started_ns": None, "outcome": "dropped", "message": reason})

    def started(self) -> None:
        """Is about to be sent."""
        self._counts[Count.OFFERED] += 1
        self._counts[Count.SENT] += 1

    def ended(self, asked: Asked, answer: Answer) -> None:
        """Has its answer, or will have none."""
        self._counts[Count.SUCCEEDED if answer.found else Count.FAILED] += 1
        self._board.responses.put(answer.ended_ns, answer.ended_ns - asked.due_ns)
        found = answer.found
        values = asked.named() | {
            "ended_ns": answer.ended_ns,
            "outcome": "succeeded" if found else "failed",
            "failure": answer.failure.value if answer.failure else None,
            "status": answer.status,
            "message": answer.message,
            "bytes": answer.size,
            "retries": answer.retries,
        }
        if found is not None:
            values |= {
                "traces": found.traces,
                "spans": found.spans,
                "items": found.items,
                "inspected_spans": found.inspected_spans,
                "limited": found.limited,
                "digest": found.digest,
            }
            if self._keeper is not None:
                self._keeper.keep(asked.number, asked.step, asked.kind, found)
        self._write(values)
        if self._exposition is not None:
            bucket = asked.question.bucket
            self._exposition.observe(asked.name, asked.kind, bucket.name if bucket else None, asked.started_ns, answer)

    def save(self) -> None:
        """Hands the rows so far to the operating system, and remembers whether the clock was set."""
        self._ledger.flush()
        if self._keeper is not None:
            self._keeper.save()
        step = self._clock.step_ns()
        if abs(step) > abs(self._counts[Count.CLOCK_STEP_NS]):
            self._counts[Count.CLOCK_STEP_NS] = step

    def _write(self, values: dict[str, object]) -> None:
        self._ledger.append(row(QUERIES, values))
