"""Bookkeeping of the asking process: what becomes of each query goes to the counters and the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from vivace.ledger import QUERIES, LedgerWriter, row
from vivace.query.answer import Answer
from vivace.query.board import Board, Count
from vivace.query.bucket import Window
from vivace.query.plan import Question
from vivace.send.clock import Clock


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that was started; times are Unix nanoseconds."""

    number: int
    question: Question
    kind: str
    """As in the ledger: search, fetch."""
    window: Window | None
    due_ns: int
    started_ns: int
    trace_id: str | None = None

    def named(self) -> dict[str, object]:
        """The part of the row that is known from the start."""
        return {
            "query": self.number,
            "name": self.question.query.name,
            "bucket": self.question.bucket.name,
            "kind": self.kind,
            "due_ns": self.due_ns,
            "started_ns": self.started_ns,
            "window_start_s": self.window.start_s if self.window else None,
            "window_end_s": self.window.end_s if self.window else None,
            "trace_id": self.trace_id,
        }


class Book:
    """Every query passes here when it starts and when it has ended, or once when it is dropped."""

    def __init__(self, board: Board, ledger: LedgerWriter, clock: Clock) -> None:
        self._board = board
        self._counts = board.counts
        self._ledger = ledger
        self._clock = clock

    def dropped(self, number: int, question: Question, window: Window, due_ns: int, reason: str) -> None:
        """Fell due with no user free."""
        self._counts[Count.OFFERED] += 1
        self._counts[Count.DROPPED] += 1
        named = Asked(number, question, "search", window, due_ns, 0).named()
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
        self._write(
            asked.named()
            | {
                "ended_ns": answer.ended_ns,
                "outcome": "succeeded" if found else "failed",
                "failure": answer.failure.value if answer.failure else None,
                "status": answer.status,
                "message": answer.message,
                "bytes": answer.size,
                "traces": found.traces if found else None,
                "spans": found.spans if found else None,
                "inspected_spans": found.inspected_spans if found else None,
            }
        )

    def save(self) -> None:
        """Hands the rows so far to the operating system, and remembers whether the clock was set."""
        self._ledger.flush()
        step = self._clock.step_ns()
        if abs(step) > abs(self._counts[Count.CLOCK_STEP_NS]):
            self._counts[Count.CLOCK_STEP_NS] = step

    def _write(self, values: dict[str, object]) -> None:
        self._ledger.append(row(QUERIES, values))
