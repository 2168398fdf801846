"""The words of a batch of log records while they are found: bodies, attributes, and where each record comes from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.attributes import Scalar, key_value
from vivace.telemetry.encode import key_values, listed


class Values:
    """Binary values of a batch's records, added for some of the records at a time; a record may have any number."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._rows: list[Numbers] = [np.zeros(0, np.int64)]
        self._values: list[pa.Array] = [pa.array([], pa.binary())]

    def add(self, rows: Numbers, values: pa.Array) -> None:
        """One more value for each of the rows."""
        self._rows.append(rows)
        self._values.append(values)

    def add_attribute(self, rows: Numbers, key: str, values: pa.Array) -> None:
        """An attribute with a value of its own for each of the rows."""
        self.add(rows, key_values(key, values))

    def add_choice(self, rows: Numbers, key: str, options: Sequence[Scalar], which: Numbers) -> None:
        """An attribute of few different values."""
        encoded = pa.array([key_value(key, option).SerializeToString() for option in options], pa.binary())
        self.add(rows, encoded.take(pa.array(which)))

    def lists(self, order: Numbers) -> pa.ListArray:
        """The values of each record, the records in this order."""
        rank = np.empty(self._records, np.int64)
        rank[order] = np.arange(self._records)
        rows = rank[np.concatenate(self._rows)]
        values = pa.concat_arrays(self._values).take(pa.array(np.argsort(rows, kind="stable")))
        return listed(np.bincount(rows, minlength=self._records), values)

    def single(self, order: Numbers) -> pa.Array:
        """The value of each record, the records in this order; every record must have exactly one."""
        place = np.empty(self._records, np.int64)
        place[np.concatenate(self._rows)] = np.arange(self._records)
        return pa.concat_arrays(self._values).take(pa.array(place[order]))


class Columns:
    """What a batch of records says; row n is about record n."""

    def __init__(self, records: int) -> None:
        self.body = Values(records)
        """Encoded AnyValues, one for each record."""
        self.attributes = Values(records)
        """Encoded KeyValues."""
        self.resource = np.zeros(records, np.int64)
        """Number among the batch's resources."""
        self.scope = np.zeros(records, np.int64)
        """Number among the template's scopes."""
