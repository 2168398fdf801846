"""A trace reduced to the spans that a query selects."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.backend.query.conditions import conditions
from vivace.backend.query.expression import Evaluation
from vivace.backend.query.lookup import Piece
from vivace.backend.query.memory import Memory
from vivace.backend.query.pick import pick
from vivace.backend.query.pipeline import spansets
from vivace.backend.query.rebuild import filter_spans
from vivace.backend.query.view import View
from vivace.backend.store.merge import merge
from vivace.backend.store.unit import Unit
from vivace.traceql.tree import Pipeline

_MEMORY_BYTES = 1 << 26


def selected_spans(pieces: Sequence[Piece], pipeline: Pipeline) -> frozenset[bytes]:
    """The IDs of the spans that a pipeline selects in a trace, which the pieces make up."""
    tables = merge([pick(piece.view, np.array([piece.trace])) for piece in pieces])
    view = View(Unit.in_memory(tables), Memory(_MEMORY_BYTES))
    rows = spansets(pipeline, view, Evaluation(conditions(pipeline))).span_rows()
    return frozenset(number.to_bytes(8, "big") for number in view.words("spans", "span_id")[rows].tolist())


def keep_spans(data: TracesData, wanted: Collection[bytes], *, with_ancestors: bool) -> None:
    """Remove all other spans, and batches that become empty."""
    kept = _with_ancestors(data, wanted) if with_ancestors else wanted
    filter_spans(data, lambda _batch, _inner, span: span.span_id in kept)


def _with_ancestors(data: TracesData, wanted: Collection[bytes]) -> Collection[bytes]:
    parents = {
        span.span_id: span.parent_span_id
        for batch in data.resource_spans
        for inner in batch.scope_spans
        for span in inner.spans
    }
    found: set[bytes] = set()
    for identity in wanted:
        at = identity
        while at and at not in found:
            found.add(at)
            at = parents.get(at, b"")
    return found
