"""How a table lies in a Parquet file: encodings that suit what its columns hold, in groups of rows read together."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP: Final = 1 << 13
"""Rows that are read together when one trace is asked for."""
PRESENCE: Final = b"vivace.presence"
"""The key in a file's footer under which it says which columns have a value where."""

_DELTA: Final = frozenset({"trace", "start", "duration", "time", "span", "first", "count"})
_RANDOM: Final = frozenset({"trace_hi", "trace_lo", "span_id", "parent_id"})


def table_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Writes a table's row groups, each ROW_GROUP rows but for the last."""
    encoding = {name: "DELTA_BINARY_PACKED" for name in schema.names if name in _DELTA}
    encoding |= {name: "PLAIN" for name in schema.names if name in _RANDOM}
    return pq.ParquetWriter(
        path,
        schema,
        use_dictionary=leaves(schema, exclude=encoding.keys()),
        column_encoding=encoding,
        write_statistics=False,
        write_page_checksum=True,
        compression="zstd",
        compression_level=1,
    )


def leaves(schema: pa.Schema, exclude: Collection[str] = ()) -> list[str]:
    """The Parquet paths of columns; an element of a list is a path of its own."""
    return [
        f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
        for field in schema
        if field.name not in exclude
    ]
