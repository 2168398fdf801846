"""Access logs: a line for each HTTP request that a span answered."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.encode import encode
from vivace.telemetry.logs.answers import AGENT, CLIENT, METHOD, PATH, SUCCESS, VERSION
from vivace.telemetry.logs.draft import LogType
from vivace.telemetry.logs.telling import Telling
from vivace.telemetry.texts import addresses, decimal, joined

EMPTY: Final = (204, 304)
"""Statuses of answers without a body."""
SCOPE: Final = "access"


def tell_access(telling: Telling) -> None:
    """Bodies and attributes of the access logs."""
    rows = telling.draft.rows(LogType.ACCESS)
    span = telling.draft.span[rows]
    said = telling.answers.status[span]
    status = np.where(said == 0, SUCCESS, said)
    size = telling.random.lognormal(7.5, 1.4, rows.size).astype(np.int64)
    size[np.isin(status, EMPTY)] = 0
    columns = telling.columns
    columns.body.add(rows, encode("AnyValue", {"string_value": _lines(telling, span, status, size)}))
    columns.scope[rows] = telling.sources.scopes_of(SCOPE)[telling.writer[span]]
    for attribute in telling.answers.attributes.values():
        place = attribute.place[span]
        known = np.flatnonzero(place >= 0)
        columns.attributes.add(rows[known], attribute.encoded.take(pa.array(place[known])))
    columns.attributes.add_attribute(rows, "http.response.body.size", pa.array(size))


def _lines(telling: Telling, span: Numbers, status: Numbers, size: Numbers) -> pa.Array:
    """Lines as web servers write them, but for the time, which every record has of its own."""
    spans, answers, count = telling.spans, telling.answers, span.size
    client = answers.texts(CLIENT, span, "")
    client = pc.if_else(pc.equal(client, ""), addresses(telling.random, count), client)
    return joined(
        client,
        pa.repeat(' - - "', count),
        answers.texts(METHOD, span, "GET"),
        pa.repeat(" ", count),
        answers.texts(PATH, span, "/"),
        pa.repeat(" HTTP/", count),
        answers.texts(VERSION, span, "1.1"),
        pa.repeat('" ', count),
        decimal(status),
        pa.repeat(" ", count),
        decimal(size),
        pa.repeat(' "-" "', count),
        answers.texts(AGENT, span, "-"),
        pa.repeat('" ', count),
        decimal((spans.end[span] - spans.start[span]) // 1_000_000),
        pa.repeat("ms", count),
    )
