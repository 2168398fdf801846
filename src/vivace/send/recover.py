"""After a worker was killed: the rows that it could not write, from what it left in shared memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from vivace.ledger import SENDS, Row, row
from vivace.send.answer import Outcome
from vivace.send.contents import Contents
from vivace.send.disorder import Kind
from vivace.send.journal import Entry
from vivace.send.request import Content
from vivace.telemetry.template import Signal

NOT_WRITTEN: Final = "the worker ended before it wrote this down"
NO_WORKER: Final = "the worker that should have sent it had ended"


def journal_rows(entries: Iterable[Entry], worker: int, signal: Signal) -> Iterator[Row]:
    """What was in flight is unknown now; what had ended is as the journal says."""
    for entry in entries:
        outcome = entry.outcome or Outcome.UNKNOWN
        values: dict[str, object] = {"outcome": outcome.value, "message": NOT_WRITTEN, "due_ns": entry.due_ns}
        if outcome is not Outcome.DROPPED:
            values |= {"started_ns": entry.started_ns, "ended_ns": entry.ended_ns or None, "t0_ns": entry.t0_ns}
            values |= {"attempts": entry.attempts}
        if outcome is Outcome.ACKNOWLEDGED:
            values |= {"rejected": entry.rejected, "status": "OK"}
        if entry.content.number != entry.number:
            values |= {"copies": entry.content.number}
        yield _row(worker, signal, entry.content, entry.kind, values | {"request": entry.number})


def never_offered_rows(dues: Iterable[tuple[int, int]], worker: int, contents: Contents) -> Iterator[Row]:
    """What fell due afterwards was dropped."""
    for number, due_ns in dues:
        values = {"request": number, "due_ns": due_ns, "outcome": Outcome.DROPPED.value, "message": NO_WORKER}
        yield _row(worker, contents.signal, contents.describe(number), contents.kind(number), values)


def _row(worker: int, signal: Signal, content: Content, kind: Kind | None, values: Mapping[str, object]) -> Row:
    own: dict[str, object] = {
        "signal": str(signal),
        "worker": worker,
        "template": content.template,
        "items": content.items,
        "bytes": content.size,
        "disorder": kind,
    }
    return row(SENDS, {**own, **values})
