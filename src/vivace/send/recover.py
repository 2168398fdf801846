"""After a worker was killed: the rows that it could not write, from what it left in shared memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from vivace.ledger import SENDS, Row, row
from vivace.send.answer import Outcome
from vivace.send.contents import Contents
from vivace.send.journal import Entry

NOT_WRITTEN: Final = "the worker ended before it wrote this down"
NO_WORKER: Final = "the worker that should have sent it had ended"


def journal_rows(entries: Iterable[Entry], worker: int, contents: Contents) -> Iterator[Row]:
    """What was in flight is unknown now; what had ended is as the journal says."""
    for entry in entries:
        outcome = entry.outcome or Outcome.UNKNOWN
        values: dict[str, object] = {"outcome": outcome.value, "message": NOT_WRITTEN}
        if outcome is not Outcome.DROPPED:
            values |= {"started_ns": entry.started_ns, "ended_ns": entry.ended_ns or None, "t0_ns": entry.t0_ns}
            values |= {"attempts": entry.attempts}
        if outcome is Outcome.ACKNOWLEDGED:
            values |= {"rejected": entry.rejected, "status": "OK"}
        if entry.content != entry.number:
            values |= {"copies": entry.content}
        yield _row(worker, contents, entry.number, entry.content, values | {"due_ns": entry.due_ns})


def never_offered_rows(dues: Iterable[tuple[int, int]], worker: int, contents: Contents) -> Iterator[Row]:
    """What fell due afterwards was dropped."""
    for number, due_ns in dues:
        values = {"due_ns": due_ns, "outcome": Outcome.DROPPED.value, "message": NO_WORKER}
        yield _row(worker, contents, number, number, values)


def _row(worker: int, contents: Contents, number: int, content: int, values: Mapping[str, object]) -> Row:
    own: dict[str, object] = {
        "request": number,
        "signal": str(contents.template.signal),
        "worker": worker,
        "template": contents.request(content),
        "items": contents.items(content),
        "bytes": contents.size(content),
        "disorder": contents.kind(number),
    }
    return row(SENDS, {**own, **values})
