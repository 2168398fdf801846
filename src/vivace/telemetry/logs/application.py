"""Application logs: what services tell while they work, as texts or as maps, and why they failed."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.encode import encode, key_values, listed
from vivace.telemetry.faults import Fault
from vivace.telemetry.logs.draft import LogType, Severity
from vivace.telemetry.logs.messages import Choice, filled, messages
from vivace.telemetry.logs.telling import Telling
from vivace.telemetry.texts import uuids

THREADS: Final = 32
THROWN: Final = (Fault.INTERNAL, Fault.UNAVAILABLE, Fault.TIMEOUT)


def tell_application(telling: Telling, structured: float) -> None:
    """Bodies and attributes of the application logs; `structured` is the percentage with a map as body."""
    draft, columns, random = telling.draft, telling.columns, telling.random
    rows = draft.rows(LogType.APPLICATION)
    span, severity = draft.span[rows], draft.severity[rows]
    choice = Choice.of(messages().application.ranked)
    texts = filled(choice.patterns, choice.draw(severity.astype(np.int64), random), random)
    loggers = telling.sources.loggers()
    columns.scope[rows] = loggers[telling.writer[span], random.integers(loggers.shape[1], size=rows.size)]
    mapped = random.random(rows.size) * 100 < structured
    columns.body.add(rows[~mapped], encode("AnyValue", {"string_value": texts.filter(pa.array(~mapped))}))
    columns.body.add(rows[mapped], _maps(telling, span[mapped], texts.filter(pa.array(mapped))))
    threads = random.integers(THREADS, size=rows.size)
    columns.attributes.add_choice(rows, "thread.id", list(range(1, THREADS + 1)), threads)
    _exceptions(telling, rows[severity == Severity.ERROR])


def _maps(telling: Telling, span: Numbers, texts: pa.Array) -> pa.Array:
    """Structured bodies: message, operation, time that it took, and an ID: encoded AnyValues."""
    milliseconds = (telling.spans.end[span] - telling.spans.start[span]) / 1e6
    fields = [
        key_values("message", texts),
        key_values("operation", telling.spans.name.take(pa.array(span))),
        key_values("duration_ms", pa.array(np.round(milliseconds, 3))),
        key_values("request_id", uuids(telling.random, span.size)),
    ]
    turns = np.arange(len(fields) * span.size).reshape(len(fields), span.size).T.ravel()
    values = listed(np.full(span.size, len(fields)), pa.concat_arrays(fields).take(pa.array(turns)))
    return encode("AnyValue", {"kvlist_value": encode("KeyValueList", {"values": values})})


def _exceptions(telling: Telling, rows: Numbers) -> None:
    """What was thrown, in the language of each service."""
    writers = list(telling.sources.writers)
    thrown = [(writer, fault) for writer in writers for fault in THROWN]
    which = telling.writer[telling.draft.span[rows]] * len(THROWN) + telling.random.integers(
        len(THROWN), size=rows.size
    )
    add = telling.columns.attributes.add_choice
    add(rows, "exception.type", [writer.sdk.exception(fault)[0] for writer, fault in thrown], which)
    add(rows, "exception.message", [writer.sdk.exception(fault)[1] for writer, fault in thrown], which)
    stacks = [writer.sdk.stacktrace(fault, writer.service) for writer, fault in thrown]
    add(rows, "exception.stacktrace", stacks, which)
