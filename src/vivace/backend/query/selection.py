"""A trace reduced to the spans that a query selects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

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

ALL: Final = -1
"""Of levels of a trace."""
_MEMORY_BYTES: Final = 1 << 26


@dataclass(frozen=True, slots=True)
class Selection:
    """Which spans of a trace are wanted: those that a query selects, and so many levels above and below them."""

    query: str
    ancestors: int = 0
    descendants: int = 0


def selected_spans(pieces: Sequence[Piece], pipeline: Pipeline) -> frozenset[bytes]:
    """The IDs of the spans that a pipeline selects in a trace, which the pieces make up."""
    tables = merge([pick(piece.view, np.array([piece.trace])) for piece in pieces])
    view = View(Unit.in_memory(tables), Memory(_MEMORY_BYTES))
    rows = spansets(pipeline, view, Evaluation(conditions(pipeline))).span_rows()
    return frozenset(number.to_bytes(8, "big") for number in view.words("spans", "span_id")[rows].tolist())


def keep_spans(data: TracesData, wanted: Collection[bytes], selection: Selection) -> None:
    """Remove all spans but those that are wanted, and those around them; and batches that become empty."""
    parents, children = _related(data)
    above = _reached(wanted, parents, selection.ancestors)
    kept = above | _reached(wanted, children, selection.descendants)
    filter_spans(data, lambda _batch, _inner, span: span.span_id in kept)


def _related(data: TracesData) -> tuple[Mapping[bytes, Sequence[bytes]], Mapping[bytes, Sequence[bytes]]]:
    """By span its parents, of which there are several when spans share an ID; and by parent its children."""
    parents, children = defaultdict[bytes, list[bytes]](list), defaultdict[bytes, list[bytes]](list)
    for batch in data.resource_spans:
        for inner in batch.scope_spans:
            for span in inner.spans:
                if span.parent_span_id:
                    parents[span.span_id].append(span.parent_span_id)
                    children[span.parent_span_id].append(span.span_id)
    return parents, children


def _reached(start: Collection[bytes], onward: Mapping[bytes, Sequence[bytes]], levels: int) -> set[bytes]:
    """What is so many levels away at most, level by level; ALL never comes to an end before the trace does."""
    found, edge = set(start), set(start)
    while edge and levels:
        edge = {to for one in edge for to in onward.get(one, ())} - found
        found |= edge
        levels -= 1
    return found
