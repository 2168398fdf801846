"""Values of a field as numbers of groups, for all rows of a table at once; kept with the unit like a column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import Frame, tables
from vivace.backend.query.grouping import columns, compact, group_codes
from vivace.backend.query.shown import Json, computed, scalar
from vivace.backend.query.value import Column, Identifiers, Lists, Mask, Part, Rows, Type
from vivace.backend.query.view import View, column_bytes
from vivace.traceql.tree import Attribute, IntrinsicField

Label = tuple[str, str | int | float | bool]
"""The member of AnyValue that a label's value is, and the value; an array as JSON."""
_NIL: Final[Label] = ("stringValue", "nil")
_SMALL: Final = ("resources", "scopes", "traces")


@dataclass(frozen=True, slots=True)
class Codes:
    """The group of every row of a table, from 0 on, and a value for each group."""

    table: str
    code: npt.NDArray[np.int32]
    values: tuple[Part, ...]
    known: Mask
    """By group whether it is any but that of nil."""

    def __len__(self) -> int:
        return len(self.known)

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.code.nbytes + sum(column_bytes(one) for one in self.values if isinstance(one, Column))

    def of(self, frame: Frame) -> npt.NDArray[np.int32]:
        """The group of every row of a frame of spans."""
        rows = frame.of(self.table)
        return self.code if rows is None else self.code[rows]

    def labels(self, groups: Rows) -> list[Label]:
        """The labels of some groups."""
        found = [_NIL] * len(groups)
        for part in self.values:
            for place, label in _labels(part.take(groups)).items():
                found[place] = label
        return found


def codes(field: Attribute | IntrinsicField, evaluation: Evaluation, view: View, *, keep: bool = True) -> Codes:
    """The groups of a field that the query asks for as a whole, so that an array stands for all of its elements."""
    if not keep:
        return _codes(field, evaluation, view)
    return view.remember(("codes", field), lambda: _codes(field, evaluation, view), lambda made: made.nbytes)


def _codes(field: Attribute | IntrinsicField, evaluation: Evaluation, view: View) -> Codes:
    evaluation.check()
    table = home(field, view)
    frame = Frame(view, table)
    return grouped(columns(evaluation.value(field, frame), len(frame)), len(frame), table)


def home(field: Attribute | IntrinsicField, view: View) -> str:
    """The small table that a field is read from alone, else that of spans."""
    read_from = tables(field, view)
    return next((one for one in _SMALL if read_from == {one}), "spans")


def grouped(parts: Sequence[Part], rows: int, table: str = "spans") -> Codes:
    """The groups of some values."""
    code, first = compact(group_codes(parts, rows))
    values = tuple(part.take(first) for part in parts)
    known = np.zeros(len(first), np.bool_)
    for part in values:
        known |= part.known
    return Codes(table, code.astype(np.int32), tuple(one for one in values if one.known.any()), known)


def _labels(part: Part) -> Mapping[int, Label]:
    """Labels by place."""
    there = np.flatnonzero(part.known)
    if isinstance(part, Lists):
        return {place: _label(computed((part,), place)) for place in there.tolist()}
    column = part.column() if isinstance(part, Identifiers) else part
    if column.type is Type.STRING and column.words is not None:
        words = column.words.take(pa.array(column.data[there])).to_pylist()
        return {place: ("stringValue", word) for place, word in zip(there.tolist(), words, strict=True)}
    return {place: _label(scalar(column, place)) for place in there.tolist()}


def _label(any_value: Json) -> Label:
    ((member, value),) = any_value.items()
    if isinstance(value, dict):
        return member, json.dumps(value)
    assert isinstance(value, (str, int, float, bool))  # noqa: S101 - what AnyValues of scalars hold
    return member, value
