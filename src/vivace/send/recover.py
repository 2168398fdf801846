"""After a worker was killed: the rows that it could not write, from what it left in shared memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from vivace.ledger import SENDS, Row, row
from vivace.send.answer import Outcome
from vivace.send.journal import Entry
from vivace.telemetry.template import Template

NOT_WRITTEN: Final = "the worker ended before it wrote this down"
NO_WORKER: Final = "the worker that should have sent it had ended"


def journal_rows(entries: Iterable[Entry], worker: int, template: Template) -> Iterator[Row]:
    """What was in flight is unknown now; what had ended is as the journal says."""
    for entry in entries:
        outcome = entry.outcome or Outcome.UNKNOWN
        values: dict[str, object] = {"outcome": outcome.value, "message": NOT_WRITTEN}
        if outcome is not Outcome.DROPPED:
            values |= {"started_ns": entry.started_ns, "ended_ns": entry.ended_ns or None, "t0_ns": entry.t0_ns}
        if outcome is Outcome.ACKNOWLEDGED:
            values |= {"rejected": entry.rejected, "status": "OK"}
        yield _row(entry.number, entry.due_ns, worker, template, values)


def never_offered_rows(dues: Iterable[tuple[int, int]], worker: int, template: Template) -> Iterator[Row]:
    """What fell due afterwards was dropped."""
    for number, due_ns in dues:
        values: dict[str, object] = {"outcome": Outcome.DROPPED.value, "message": NO_WORKER}
        yield _row(number, due_ns, worker, template, values)


def _row(number: int, due_ns: int, worker: int, template: Template, values: dict[str, object]) -> Row:
    requests, request = template.requests, number % len(template)
    own: dict[str, object] = {
        "request": number,
        "signal": str(template.signal),
        "worker": worker,
        "template": request,
        "due_ns": due_ns,
        "items": int(requests.items[request]),
        "bytes": int(requests.stop[request] - requests.start[request]),
    }
    return row(SENDS, own | values)
