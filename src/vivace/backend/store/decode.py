"""OTLP requests -> tables: sorted, shared, with one typed column per attribute key and kind.

Nothing is lost, and a span that was sent again, the same in everything, is there once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.arrange import Distinct, distinct_rows, inverse, order_spans
from vivace.backend.store.batch import AttributeLists, Batch
from vivace.backend.store.flatten import flatten
from vivace.backend.store.numbering import numbered, numbered_lists
from vivace.backend.store.overflow import joined
from vivace.backend.store.pivot import pivot
from vivace.backend.store.repeats import without_repeats
from vivace.backend.store.tables import FIXED, Tables

ATTRIBUTE_COLUMNS: Final = 512
"""The bound on attribute columns of one table unless told otherwise."""

Rows = npt.NDArray[np.int32]
Columns = Mapping[str, pa.Array]


def decode(requests: Sequence[bytes], attribute_columns: int = ATTRIBUTE_COLUMNS) -> Tables:
    """Tables of the spans of ExportTraceServiceRequests.

    Refused, which is a ValueError, when any of them is malformed or has an ID of a wrong size.
    """
    return arrange(flatten(requests), attribute_columns)


def arrange(batch: Batch, attribute_columns: int = ATTRIBUTE_COLUMNS) -> Tables:
    """Tables of a batch. Refused when an attribute is malformed."""
    spans = batch.columns["spans"]
    ids = (spans[name].to_numpy() for name in ("trace_hi", "trace_lo", "start"))
    order = order_spans(*ids)
    resource, resource_position = _shared(batch, "resources", spans["resource"])
    scope, scope_position = _shared(batch, "scopes", spans["scope"])
    span_position = inverse(order.order, len(order.order))
    events, event_position = _children(batch.columns["events"], span_position)
    links, link_position = _children(batch.columns["links"], span_position)
    computed = {
        "trace": order.trace,
        "resource": resource.row[spans["resource"].to_numpy()][order.order],
        "scope": scope.row[spans["scope"].to_numpy()][order.order],
    }
    fixed = {
        "spans": {**_taken(spans, order.order), **{name: pa.array(values) for name, values in computed.items()}},
        "resources": _taken(batch.columns["resources"], resource.kept),
        "scopes": _taken(batch.columns["scopes"], scope.kept),
        "events": events,
        "links": links,
    }
    positions = {
        "spans": span_position,
        "resources": resource_position,
        "scopes": scope_position,
        "events": event_position,
        "links": link_position,
    }
    pivoted = {
        table: pivot(table, batch.attributes[table], position, _rows(fixed[table]), attribute_columns)
        for table, position in positions.items()
    }
    tables = {table: _record_batch(table, fixed[table], one.columns) for table, one in pivoted.items()}
    overflow = joined([one.overflow for one in pivoted.values()])
    return without_repeats(Tables(**tables, traces=order.traces, overflow=overflow))


def _shared(batch: Batch, table: str, references: pa.Array) -> tuple[Distinct, Rows]:
    """Equal resources or scopes made one; those without spans are left out."""
    lists: AttributeLists = batch.attributes[table]
    rows = len(lists.offsets) - 1
    used = np.zeros(rows, np.bool_)
    used[references.to_numpy()] = True
    numbers = [numbered(column) for column in batch.columns[table].values()]
    distinct = distinct_rows([*numbers, numbered_lists(lists.counts, lists.codes)], used)
    return distinct, inverse(distinct.kept, rows)


def _children(columns: Columns, span_position: Rows) -> tuple[dict[str, pa.Array], Rows]:
    """Events or links in the order of their spans, and where each went."""
    span = span_position[columns["span"].to_numpy()]
    order = np.argsort(span, kind="stable")
    children = _taken(columns, order)
    children["span"] = pa.array(span[order].astype(np.uint32))
    return children, inverse(order, len(order))


def _taken(columns: Columns, order: npt.NDArray[np.intp]) -> dict[str, pa.Array]:
    rows = pa.array(order)
    return {name: pc.take(_text(column), rows, boundscheck=False) for name, column in columns.items()}


def _text(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return column
    if column.null_count == 0 and len(column) and not column.buffers()[2]:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(column), np.int32)), pa.array([""], pa.string()))
    return column.dictionary_encode()


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _record_batch(table: str, fixed: Columns, attributes: Columns) -> pa.RecordBatch:
    schema = FIXED[table]
    arrays = [fixed[name] for name in schema.names] + list(attributes.values())
    attribute_fields = [pa.field(name, array.type) for name, array in attributes.items()]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([*schema, *attribute_fields]))
