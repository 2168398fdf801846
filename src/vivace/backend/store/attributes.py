"""Distinct KeyValue messages -> typed values, one array per key and kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.tables import ARROW, Kind
from vivace.backend.store.values import KINDS, SIMPLE, Values, attributes_of, values_of

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Typed:
    """Distinct attributes, ordered by key and kind; those of one key and kind stand together and are a column."""

    keys: tuple[tuple[str, Kind | None], ...]
    bounds: Codes
    """Places bounds[c]:bounds[c + 1] belong to column c."""
    place: Codes
    """Number of a message -> its place."""
    column: Codes
    """Place -> its column."""
    values: tuple[pa.Array | None, ...]
    """The values of each column by place, None without a value; no value stands twice in a column of strings."""


def typed(messages: pa.BinaryArray) -> Typed:
    """Decodes distinct KeyValue messages. Refused when any is malformed, at whatever depth."""
    values = values_of(messages)
    if values.odd.any():
        return _typed_canonically(messages, np.flatnonzero(values.odd))
    return _ordered(values)


def _typed_canonically(messages: pa.BinaryArray, odd: npt.NDArray[np.intp]) -> Typed:
    """Rewrites odd messages in the one usual way, and decodes again."""
    rewritten = messages.to_pylist()
    attributes = attributes_of(messages.take(pa.array(odd)))
    for number, attribute in zip(odd.tolist(), attributes, strict=True):
        attribute.DiscardUnknownFields()
        rewritten[number] = attribute.SerializeToString()
    numbered = pa.array(rewritten, pa.binary()).dictionary_encode()
    result = _ordered(values_of(numbered.dictionary))
    place = result.place[numbered.indices.to_numpy()]
    return Typed(result.keys, result.bounds, place, result.column, result.values)


def _ordered(values: Values) -> Typed:
    numbered = values.keys.dictionary_encode()
    alphabet = pc.sort_indices(numbered.dictionary).to_numpy()
    rank = np.empty(len(alphabet), np.int64)
    rank[alphabet] = np.arange(len(alphabet))
    columns = rank[numbered.indices.to_numpy()] * len(KINDS) + values.kind
    order = np.argsort(columns, kind="stable")
    present, first, column = np.unique(columns[order], return_index=True, return_inverse=True)
    bounds = np.append(first, len(order)).astype(np.int32)
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    names = numbered.dictionary.take(pa.array(alphabet)).to_pylist()
    keys = tuple((names[number // len(KINDS)], KINDS[number % len(KINDS)]) for number in present.tolist())
    simple = {kind: array.take(pa.array(order)) for kind, array in values.simple.items()}
    found = []
    for (_, kind), start, stop in zip(keys, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if kind in SIMPLE:
            found.append(simple[kind].slice(start, stop - start))
        else:
            found.append(_unusual(values, kind, order[start:stop]))
    return Typed(keys, bounds, place, column.astype(np.int32), tuple(found))


def _unusual(values: Values, kind: Kind | None, numbers: npt.NDArray[np.intp]) -> pa.Array | None:
    """The values of a column that is not simple, by the numbers of their messages."""
    if kind is None:
        return None
    if kind in values.lists:
        return values.lists[kind].take(pa.array(values.place[numbers]))
    return pa.array([values.any[number] for number in numbers.tolist()], ARROW[kind])
