"""Encodes a batch of spans as a collector would send them: per request, all spans of a service under its resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.attributes import AttributeTable, Vocabulary
from vivace.telemetry.batch import Batch
from vivace.telemetry.details import Details
from vivace.telemetry.encode import encode, fixed_bytes, listed
from vivace.telemetry.events import events, links
from vivace.telemetry.faults import REFUSALS, RPC_STATUS, Fault, failed
from vivace.telemetry.operations import CALLED, KIND, Shape
from vivace.telemetry.resources import SCOPES, Resources
from vivace.telemetry.sdk import SDKS
from vivace.telemetry.slots import Identity, marked_words

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
SAMPLED: Final = 0x101
REMOTE: Final = 0x301
"""A span's flags: it is sampled, and its parent is known to be in another process."""
OK: Final = 1
ERROR: Final = 2
OUTWARD: Final = np.isin(list(Shape), [Shape.HTTP_SERVER, Shape.HTTP_CLIENT, Shape.RPC_SERVER, Shape.RPC_CLIENT])
"""By shape: reported by an instrumentation library; the others by the service's own tracer."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the spans of a batch go: one resource per request and service, with one or two scopes."""

    order: Numbers
    """Rows of the batch in the order of the output."""
    rank: Numbers
    """Place of each row in the output."""
    scope_first: Numbers
    """Places in the output where a scope starts."""
    resource_first: Numbers
    """Numbers of the scopes that start a resource."""


def assemble(batch: Batch, details: Details, resources: Resources, random: np.random.Generator) -> bytes:
    """The batch as TracesData."""
    placed = _place(batch)
    draws = details.given.draws(int(batch.request[-1] - batch.request[0]) + 1, random)
    spans = _spans(batch, placed, details.table(batch, draws, random), details.vocabulary, random)
    first = placed.order[placed.scope_first]
    service = batch.service[first]
    scope = service * SCOPES + ~OUTWARD[batch.shape[first]]
    scope_columns = {
        "scope": resources.scope.take(pa.array(scope)),
        "spans": listed(np.diff(placed.scope_first, append=placed.order.size), spans),
    }
    service = service[placed.resource_first]
    request = batch.request[first][placed.resource_first] - batch.request[0]
    instance = (random.random(service.size) * resources.instances[service]).astype(np.int64)
    resource_columns = {
        "resource": details.given.extend(
            resources.resource.take(pa.array(resources.first[service] + instance)), request, draws
        ),
        "scope_spans": listed(
            np.diff(placed.resource_first, append=placed.scope_first.size), encode("ScopeSpans", scope_columns)
        ),
        "schema_url": pa.repeat(SCHEMA_URL, service.size),
    }
    entries = listed(np.array([service.size]), encode("ResourceSpans", resource_columns))
    return bytes(encode("TracesData", {"resource_spans": entries})[0].as_py())


def _place(batch: Batch) -> Placed:
    resource = batch.request * len(batch.catalogue.topology.services) + batch.service
    scope = resource * SCOPES + ~OUTWARD[batch.shape]
    order = np.lexsort((batch.end, scope))
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    scope_first = np.flatnonzero(np.diff(scope[order], prepend=-1))
    resource_first = np.flatnonzero(np.diff(resource[order][scope_first], prepend=-1))
    return Placed(order, rank, scope_first, resource_first)


def _spans(
    batch: Batch, placed: Placed, table: AttributeTable, vocabulary: Vocabulary, random: np.random.Generator
) -> pa.Array:
    """The encoded spans in the order of the output."""
    order = placed.order
    operation, parent, shape = batch.trees.operation[order], batch.trees.parent[order], batch.shape[order]
    identity = _identity(batch, placed)
    names = pa.array([operation.name for operation in batch.catalogue.operations])
    flags = np.where(CALLED[shape] & (parent >= 0), REMOTE, SAMPLED)
    columns = {
        "trace_id": fixed_bytes(identity.trace[order]),
        "span_id": fixed_bytes(identity.span[order]),
        "parent_span_id": fixed_bytes(identity.span[parent], parent >= 0),
        "flags": pa.array(flags.astype(np.uint32)),
        "name": names.take(pa.array(operation)),
        "kind": pa.array(KIND[shape]),
        "start_time_unix_nano": pa.array(batch.start[order].astype(np.uint64)),
        "end_time_unix_nano": pa.array(batch.end[order].astype(np.uint64)),
        "attributes": table.lists(order),
        "events": events(batch, placed.rank, vocabulary, random),
        "links": links(batch, placed.rank, identity, vocabulary, random),
        "status": _statuses(batch, order),
    }
    if batch.trace_state is not None:
        columns["trace_state"] = batch.trace_state.take(pa.array(batch.trees.trace[order]))
    return encode("Span", columns)


def _identity(batch: Batch, placed: Placed) -> Identity:
    """Words as `marked_words` has them: in a request, first the traces' slots, then the spans' in their order."""
    request = batch.request
    number = request - request[0]
    traces = np.zeros(number[-1] + 1, np.int64)
    np.maximum.at(traces, number, batch.number + 1)
    spans_before = np.searchsorted(request, request)
    trace = np.stack([marked_words(request, 2 * batch.number), marked_words(request, 2 * batch.number + 1)], axis=1)
    return Identity(trace, marked_words(request, 2 * traces[number] + placed.rank - spans_before))


def _statuses(batch: Batch, order: Numbers) -> pa.Array:
    """Encoded statuses in the order of the output; empty where unset."""
    shape, kind = batch.shape, batch.faults.kind
    thrown = [Fault.INTERNAL, Fault.UNAVAILABLE, Fault.TIMEOUT]
    services = batch.catalogue.topology.services.values()
    raised = [SDKS[service.language].exception(fault)[1] for service in services for fault in thrown]
    passed_on = ["" if fault <= REFUSALS else RPC_STATUS[fault].replace("_", " ").lower() for fault in Fault]
    own = batch.service * len(thrown) + kind - Fault.INTERNAL
    message = np.where(batch.faults.origin, own, len(raised) + kind)
    faulty = failed(shape, kind)
    done = ~faulty & ((shape == Shape.PRODUCER) | (shape == Shape.CONSUMER))
    code = np.where(faulty, ERROR, np.where(done, OK, 0)).astype(np.int32)
    columns = {
        "code": pa.array(code[order]),
        "message": pa.array(raised + passed_on).take(pa.array(message[order])),
    }
    return encode("Status", columns)
