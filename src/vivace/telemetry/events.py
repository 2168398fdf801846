"""What happened during spans, and which other spans they refer to: events and links of a batch."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.attributes import Vocabulary
from vivace.telemetry.batch import Batch
from vivace.telemetry.catalogue import Catalogue
from vivace.telemetry.encode import encode, fixed_bytes, listed
from vivace.telemetry.faults import Fault
from vivace.telemetry.operations import Shape
from vivace.telemetry.sdk import SDKS
from vivace.telemetry.slots import Identity

NOTED: Final = {
    Shape.INTERNAL: ("cache.lookup", "cache.result", ("hit", "miss", "stale")),
    Shape.CONSUMER: ("message.deserialized", "message.schema", ("avro-v3", "avro-v4", "json")),
    Shape.HTTP_CLIENT: ("connection.acquired", "connection.pool.state", ("idle", "new")),
    Shape.RPC_SERVER: ("rpc.deadline", "rpc.deadline.source", ("caller", "default")),
}
"""Events by shape: name, and an attribute with its values."""
NOTABLE: Final = np.array([shape in NOTED for shape in Shape])
NOTED_RATE: Final = 0.06
THROWN_AT: Final = 0.97
"""When an exception is thrown, as a share of the span's duration."""
LINK_RATE: Final = 0.5
"""Of consumers: how many refer to a message, of their own trace or of another in the request."""
REASONS: Final = ("batch", "retry", "follows-from")


def events(batch: Batch, rank: Numbers, vocabulary: Vocabulary, random: np.random.Generator) -> pa.ListArray:
    """The encoded events of the spans, in the order of `rank`: each span's place in the output.

    There are exceptions where failures began, and now and then something ordinary.
    """
    noted = np.flatnonzero(NOTABLE[batch.shape] & (random.random(len(batch)) < NOTED_RATE))
    thrown = np.flatnonzero(batch.faults.origin)
    span = np.concatenate([noted, thrown])
    share = np.concatenate([random.random(noted.size), np.full(thrown.size, THROWN_AT)])
    time = batch.start[span] + (batch.times.duration[span] * share).astype(np.int64)
    numbers = np.full((span.size, 3), -1)
    numbers[: noted.size, 0] = _notes(batch.shape[noted], vocabulary, random)
    fault = batch.faults.kind[thrown] - Fault.INTERNAL
    numbers[noted.size :] = _exceptions(batch.catalogue, vocabulary)[batch.service[thrown], fault]
    names = pa.array([NOTED[shape][0] if shape in NOTED else "" for shape in Shape] + ["exception"])
    name = np.concatenate([batch.shape[noted], np.full(thrown.size, len(Shape))])
    order = np.lexsort((time, rank[span]))
    columns = {
        "time_unix_nano": pa.array(time[order].astype(np.uint64)),
        "name": names.take(pa.array(name[order])),
        "attributes": _taken(vocabulary, numbers[order]),
    }
    return listed(np.bincount(rank[span], minlength=len(batch)), encode("Event", columns))


def _notes(shape: Numbers, vocabulary: Vocabulary, random: np.random.Generator) -> Numbers:
    numbers = np.zeros(shape.size, np.int64)
    for of, (_, key, values) in NOTED.items():
        rows = np.flatnonzero(shape == of)
        numbers[rows] = vocabulary.numbers(key, list(values))[random.integers(len(values), size=rows.size)]
    return numbers


def _exceptions(catalogue: Catalogue, vocabulary: Vocabulary) -> Numbers:
    """Numbers of type, message and stack trace, by service and fault (from INTERNAL on)."""
    table = []
    for name, service in catalogue.topology.services.items():
        sdk = SDKS[service.language]
        for fault in (Fault.INTERNAL, Fault.UNAVAILABLE, Fault.TIMEOUT):
            kind, message = sdk.exception(fault)
            texts = (("type", kind), ("message", message), ("stacktrace", sdk.stacktrace(fault, name)))
            table.append([vocabulary.number(f"exception.{what}", text) for what, text in texts])
    return np.array(table).reshape(len(catalogue.topology.services), 3, 3)


def _taken(vocabulary: Vocabulary, numbers: Numbers) -> pa.ListArray:
    """Lists of attributes; -1 for none."""
    present = numbers >= 0
    return listed(np.count_nonzero(present, axis=1), vocabulary.encoded().take(pa.array(numbers[present])))


def links(
    batch: Batch, rank: Numbers, identity: Identity, vocabulary: Vocabulary, random: np.random.Generator
) -> pa.ListArray:
    """The encoded links of the spans, in the order of `rank`; `identity` is by row of the batch.

    Some consumers refer to a message of the same request, of their own trace or another.
    """
    producers = np.flatnonzero(batch.shape == Shape.PRODUCER)
    consumers = np.flatnonzero((batch.shape == Shape.CONSUMER) & (random.random(len(batch)) < LINK_RATE))
    first = np.searchsorted(batch.request[producers], batch.request[consumers])
    count = np.searchsorted(batch.request[producers], batch.request[consumers], "right") - first
    target = producers[first + (random.random(consumers.size) * count).astype(np.int64)]
    reasons = vocabulary.numbers("app.link.reason", list(REASONS))[random.integers(len(REASONS), size=target.size)]
    order = np.argsort(rank[consumers])
    columns = {
        "trace_id": fixed_bytes(identity.trace[target[order]]),
        "span_id": fixed_bytes(identity.span[target[order]]),
        "attributes": _taken(vocabulary, reasons[order, None]),
    }
    return listed(np.bincount(rank[consumers], minlength=len(batch)), encode("Link", columns))
