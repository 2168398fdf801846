"""Values of fields as columns, one entry per row of a frame; the currency between reading, comparing and computing.

A key may hold values of several types, so the value of a field is a tuple of columns of which at most one has an entry
in any row. What has an entry in none of them is nil there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.traceql.tree import Static

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_WORD: Final = 0xFFFF_FFFF_FFFF_FFFF
STATUSES: Final = ("unset", "ok", "error")
"""Names of the numbers that the data hold."""


class Type(StrEnum):
    """What a column holds; a duration is in nanoseconds, kind and status are numbers of KINDS and STATUSES."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    DURATION = "duration"
    STATUS = "status"
    KIND = "kind"


NUMBERS: Final = frozenset({Type.INT, Type.FLOAT, Type.DURATION})


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one type. A string is its number in `words`, -1 where absent; `present` None means everywhere."""

    type: Type
    data: Array
    present: Mask | None = None
    words: pa.StringArray | None = None

    def __len__(self) -> int:
        return len(self.data)

    @property
    def known(self) -> Mask:
        """Where the column has a value."""
        if self.type is Type.STRING:
            return np.asarray(self.data >= 0)
        return np.ones(len(self.data), np.bool_) if self.present is None else self.present

    def take(self, rows: Rows | None) -> Column:
        """The entries of some rows; None is all of them."""
        if rows is None:
            return self
        present = None if self.present is None else self.present[rows]
        return Column(self.type, self.data[rows], present, self.words)

    def only(self, where: Mask) -> Column:
        """The same, absent except where told."""
        if self.type is Type.STRING:
            return Column(self.type, np.where(where, self.data, -1), None, self.words)
        present = where if self.present is None else self.present & where
        return Column(self.type, self.data, present)

    def default(self, text: str) -> Column:
        """A column of strings with `text` where one is absent."""
        if (self.data >= 0).all() and self.words is not None:
            return self
        words = pa.array([], pa.string()) if self.words is None else self.words
        code = pc.index(words, pa.scalar(text, pa.string())).as_py()
        if code < 0:
            code = len(words)
            words = pa.concat_arrays([words, pa.array([text], pa.string())])
        return Column(Type.STRING, np.where(self.data < 0, np.int32(code), self.data), None, words)

    def python(self, row: int) -> str | int | float | bool | None:
        """One entry as Python has it."""
        if self.type is Type.STRING:
            code = int(self.data[row])
            return None if code < 0 or self.words is None else str(self.words[code].as_py())
        if self.present is not None and not self.present[row]:
            return None
        found: str | int | float | bool = self.data[row].item()
        if self.type is Type.STATUS:
            return STATUSES[int(found)] if 0 <= int(found) < len(STATUSES) else str(found)
        if self.type is Type.KIND:
            return KINDS[int(found)] if 0 <= int(found) < len(KINDS) else str(found)
        return found


@dataclass(frozen=True, slots=True)
class Lists:
    """Arrays as values: their elements, the row each belongs to (ascending), and the rows that have an array."""

    elements: Column
    row: Rows
    known: Mask

    def __len__(self) -> int:
        return len(self.known)

    def take(self, rows: Rows | None) -> Lists:
        """The arrays of some rows; None is all of them."""
        if rows is None:
            return self
        counts = np.bincount(self.row, minlength=len(self.known))
        starts = np.cumsum(counts) - counts
        lengths = counts[rows]
        position = np.repeat(np.arange(len(rows)), lengths)
        within = np.arange(len(position)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return Lists(self.elements.take(np.repeat(starts[rows], lengths) + within), position, self.known[rows])

    def only(self, where: Mask) -> Lists:
        """The same, absent except where told."""
        keep = np.flatnonzero(where[self.row])
        return Lists(self.elements.take(keep), self.row[keep], self.known & where)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Span IDs (one word) or trace IDs (two, without leading zeros in text) as values."""

    words: tuple[npt.NDArray[np.uint64], ...]

    def __len__(self) -> int:
        return len(self.words[0])

    @property
    def known(self) -> Mask:
        """Every row has an ID."""
        return np.ones(len(self), np.bool_)

    def take(self, rows: Rows | None) -> Identifiers:
        """The IDs of some rows; None is all of them."""
        return self if rows is None else Identifiers(tuple(word[rows] for word in self.words))

    def equal(self, text: str) -> Mask:
        """Where the ID is what the text says."""
        wanted = self._parsed([text])
        if not len(wanted):
            return np.zeros(len(self), np.bool_)
        same = (word == half for word, half in zip(self.words, wanted.words, strict=True))
        return np.asarray(reduce(np.logical_and, same))

    def within(self, texts: Iterable[str]) -> Mask:
        """Where the ID is what one of the texts says."""
        wanted = self._parsed(texts)
        found = np.isin(self.words[-1], wanted.words[-1])
        if len(self.words) > 1:
            maybe = np.flatnonzero(found)
            pairs = zip(self.take(maybe).words, wanted.words, strict=True)
            codes, _ = Identifiers(tuple(np.concatenate(pair) for pair in pairs)).distinct()
            found[maybe] = np.isin(codes[: len(maybe)], codes[len(maybe) :])
        return found

    def _parsed(self, texts: Iterable[str]) -> Identifiers:
        """The IDs of these texts; what is not the text of an ID is left out."""
        numbers = [number for text in texts if (number := self._number(text)) is not None]
        shifts = range(64 * (len(self.words) - 1), -1, -64)
        return Identifiers(tuple(np.array([n >> shift & _WORD for n in numbers], np.uint64) for shift in shifts))

    def _number(self, text: str) -> int | None:
        """The ID that a text says, in either case, with its leading zeros or without."""
        return int(text, 16) if re.fullmatch(self._digits, text) else None

    @property
    def _digits(self) -> str:
        return f"[0-9a-fA-F]{{1,{16 * len(self.words)}}}"

    def spelt(self, part: Column | Lists) -> Column | Lists:
        """The same values; strings that say an ID say it as `column` does."""
        if isinstance(part, Lists):
            return replace(part, elements=self._spelt(part.elements))
        return self._spelt(part)

    def _spelt(self, column: Column) -> Column:
        if column.words is None:
            return column
        written = pc.ascii_lower(column.words)
        if len(self.words) == 1:
            written = pc.ascii_lpad(written, 16, "0")
        else:
            written = pc.ascii_ltrim(written, "0")
            written = pc.if_else(pc.equal(written, ""), "0", written)
        says = pc.match_substring_regex(column.words, f"^{self._digits}$")
        return replace(column, words=pc.if_else(says, written, column.words))

    def distinct(self) -> tuple[Rows, Rows]:
        """A number for every row, the same for the same ID, in the order of IDs; and a row for each number."""
        order = np.lexsort(self.words[::-1])
        new = np.ones(len(order), np.bool_)
        new[1:] = np.logical_or.reduce([word[order][1:] != word[order][:-1] for word in self.words])
        codes = np.empty(len(order), np.int64)
        codes[order] = np.cumsum(new) - 1
        return codes, order[new]

    def column(self) -> Column:
        """The IDs as strings."""
        codes, rows = self.distinct()
        digits = np.stack([word[rows] for word in self.words], axis=1).astype(">u8").tobytes().hex()
        width = 16 * len(self.words)
        texts = [digits[at : at + width] for at in range(0, len(digits), width)]
        if len(self.words) > 1:
            texts = [text.lstrip("0") or "0" for text in texts]
        return Column(Type.STRING, codes.astype(np.int32), None, pa.array(texts, pa.string()))


Part = Column | Lists | Identifiers
Value = Static | Sequence[Part]


def known(parts: Sequence[Part], rows: int) -> Mask:
    """Where any of the columns has a value."""
    mask = np.zeros(rows, np.bool_)
    for part in parts:
        mask |= part.known
    return mask
