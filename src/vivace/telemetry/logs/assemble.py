"""Encodes a batch of log records as OTLP: records -> scopes -> resources."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from vivace.telemetry.arrays import Flags, Numbers, Words
from vivace.telemetry.encode import encode, fixed_bytes, listed
from vivace.telemetry.logs.draft import Severity
from vivace.telemetry.logs.telling import Telling
from vivace.telemetry.slots import OWN_GROUPS, marked_words

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
NUMBER: Final = np.array([5, 9, 13, 17], np.int32)
"""OTLP's severity number, by Severity."""
SAMPLED: Final = 1


def assemble(telling: Telling, resources: pa.Array, own_ids: bool) -> bytes:
    """The batch as LogsData; with `own_ids`, the IDs of correlated records are those of spans that nobody sends."""
    draft, columns = telling.draft, telling.columns
    order = np.lexsort((draft.time, columns.scope, columns.resource, draft.request))
    request, resource, scope = draft.request[order], columns.resource[order], columns.scope[order]
    entries = _changes(request) | _changes(resource)
    scope_first = np.flatnonzero(entries | _changes(scope))
    entry_first = np.flatnonzero(entries[scope_first])
    scope_columns = {
        "scope": telling.sources.encoded_scopes().take(pa.array(scope[scope_first])),
        "log_records": listed(np.diff(scope_first, append=order.size), _records(telling, order, own_ids)),
    }
    entry_columns = {
        "resource": resources.take(pa.array(resource[scope_first[entry_first]])),
        "scope_logs": listed(np.diff(entry_first, append=scope_first.size), encode("ScopeLogs", scope_columns)),
        "schema_url": pa.repeat(SCHEMA_URL, entry_first.size),
    }
    every = listed(np.array([entry_first.size]), encode("ResourceLogs", entry_columns))
    return bytes(encode("LogsData", {"resource_logs": every})[0].as_py())


def _records(telling: Telling, order: Numbers, own_ids: bool) -> pa.Array:
    """The encoded records in this order."""
    draft, columns = telling.draft, telling.columns
    severity, correlated = draft.severity[order], draft.correlated[order]
    trace, span = _own(draft.request[order]) if own_ids else _of_spans(telling, draft.span[order])
    return encode(
        "LogRecord",
        {
            "time_unix_nano": pa.array(draft.time[order].astype(np.uint64)),
            "observed_time_unix_nano": pa.array(draft.observed[order].astype(np.uint64)),
            "severity_number": pa.array(NUMBER[severity]),
            "severity_text": pa.array([level.name for level in Severity]).take(pa.array(severity)),
            "body": columns.body.single(order),
            "attributes": columns.attributes.lists(order),
            "flags": pa.array(np.where(correlated, SAMPLED, 0).astype(np.uint32)),
            "trace_id": fixed_bytes(trace, correlated),
            "span_id": fixed_bytes(span, correlated),
        },
    )


def _of_spans(telling: Telling, span: Numbers) -> tuple[Words, Words]:
    return telling.spans.trace[span], telling.spans.span[span, None]


def _own(request: Numbers) -> tuple[Words, Words]:
    """IDs that no template of traces has: record n of a request has the words 4n to 4n + 2 of a group of its own."""
    slot = 4 * (np.arange(request.size) - np.searchsorted(request, request))
    group = OWN_GROUPS + request
    trace = np.stack([marked_words(group, slot), marked_words(group, slot + 1)], axis=1)
    return trace, marked_words(group, slot + 2)[:, None]


def _changes(values: Numbers) -> Flags:
    """Where a value differs from the one before it."""
    return np.append(True, values[1:] != values[:-1])
