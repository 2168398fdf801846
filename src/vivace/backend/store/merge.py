"""Tables of several units -> tables of one, in the same order and with the same sharing as if decoded together.

A span that several units have, the same in everything, is there once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.backend.store.arrange import Distinct, SpanOrder, distinct_rows, order_spans
from vivace.backend.store.assemble import SHARED, assemble, combined, shifted
from vivace.backend.store.contents import contents
from vivace.backend.store.decode import ATTRIBUTE_COLUMNS
from vivace.backend.store.overflow import joined, overflow_of, placed
from vivace.backend.store.repeats import without_repeats
from vivace.backend.store.tables import Tables


def merge(parts: Sequence[Tables], columns: int = ATTRIBUTE_COLUMNS) -> Tables:
    """Puts tables together; keys that have no place among so many attribute columns go to the overflow.

    How many spans were repeats is how many fewer there are than in the parts. What there is of resources and scopes,
    and in which order, depends on those of the parts alone, not on their spans.
    """
    if len(parts) == 1:
        return parts[0]
    shared = {table: _shared(parts, table) for table in SHARED}
    return without_repeats(assemble(parts, _ordered(parts), shared, columns))


def _ordered(parts: Sequence[Tables]) -> SpanOrder:
    trace = shifted(parts, "spans", "trace", "traces")
    high, low = (_concatenated(parts, "traces", name) for name in ("trace_hi", "trace_lo"))
    return order_spans(high[trace], low[trace], _concatenated(parts, "spans", "start"))


def _concatenated(parts: Sequence[Tables], table: str, name: str) -> npt.NDArray[Any]:
    return np.concatenate([part[table].column(name).to_numpy() for part in parts])


def _shared(parts: Sequence[Tables], table: str) -> Distinct:
    """Equal resources or scopes made one."""
    whole = pa.concat_tables([pa.Table.from_batches([part[table]]) for part in parts], promote_options="default")
    rows = pa.RecordBatch.from_arrays([combined(column) for column in whole.columns], names=whole.column_names)
    bases = np.cumsum([0, *(part[table].num_rows for part in parts)]).tolist()
    outside = [
        placed(entries, entries.column("row").to_numpy() + np.int64(base))
        for entries, base in zip((overflow_of(part, table) for part in parts), bases, strict=False)
    ]
    numbers = contents(table, rows, joined(outside))
    return distinct_rows([numbers], np.ones(rows.num_rows, np.bool_))
