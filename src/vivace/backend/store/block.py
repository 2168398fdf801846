"""A block: a folder of Parquet files, one per table, of which single columns and groups of rows are read."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from vivace.backend.store.folder import sync
from vivace.backend.store.tables import FIXED, Tables

ROW_GROUP: Final = 1 << 14
"""Rows that are read together when one trace is asked for."""
COMPRESSION: Final = {"compression": "zstd", "compression_level": 3}

_DELTA: Final = frozenset({"trace", "start", "duration", "time", "span", "first", "count"})
_RANDOM: Final = frozenset({"trace_hi", "trace_lo", "span_id", "parent_id"})


def write_block(tables: Tables, folder: Path) -> int:
    """Writes a block; it appears complete or not at all. Returns its size in bytes."""
    temporary = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        size = sum(_write(batch, temporary / f"{name}.parquet") for name, batch in tables.items())
        sync(temporary)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync(folder.parent)
    return size


def _write(batch: pa.RecordBatch, path: Path) -> int:
    names = batch.schema.names
    encoding = {name: "DELTA_BINARY_PACKED" for name in names if name in _DELTA}
    encoding |= {name: "PLAIN" for name in names if name in _RANDOM}
    pq.write_table(
        pa.Table.from_batches([batch]),
        path,
        row_group_size=ROW_GROUP,
        use_dictionary=_leaves(batch.schema, exclude=encoding.keys()),
        column_encoding=encoding,
        write_statistics=False,
        write_page_checksum=True,
        **COMPRESSION,
    )
    sync(path)
    return path.stat().st_size


def _leaves(schema: pa.Schema, exclude: Collection[str]) -> list[str]:
    """The Parquet paths of columns; an element of a list is a path of its own."""
    return [
        f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
        for field in schema
        if field.name not in exclude
    ]


class BlockSource:
    """A block as the source of a unit; files are opened when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        """OSError or pyarrow.ArrowInvalid come from whatever reads a damaged or missing file."""
        self._folder = folder
        self._file = lru_cache(maxsize=len(FIXED))(self._open)

    def names(self, table: str) -> list[str]:
        """See Source."""
        names: list[str] = self._file(table).schema_arrow.names
        return names

    def rows(self, table: str) -> int:
        """See Source."""
        rows: int = self._file(table).metadata.num_rows
        return rows

    def column(self, table: str, name: str) -> pa.Array:
        """See Source."""
        file = self._file(table)
        leaf = _leaves(pa.schema([file.schema_arrow.field(name)]), exclude=())
        return _chunk(file.read(columns=leaf, use_threads=False).column(0))

    def slice(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """See Source."""
        file = self._file(table)
        groups = list(range(first // ROW_GROUP, -(-(first + count) // ROW_GROUP)))
        rows = file.read_row_groups(groups, use_threads=False) if count else file.schema_arrow.empty_table()
        columns = [
            _chunk(column) for column in rows.slice(first - ROW_GROUP * groups[0] if groups else 0, count).columns
        ]
        return pa.RecordBatch.from_arrays(columns, schema=file.schema_arrow)

    def tables(self) -> Tables:
        """All of the block."""
        return Tables(**{name: self.slice(name, 0, self.rows(name)) for name in FIXED})

    def _open(self, table: str) -> pq.ParquetFile:
        return pq.ParquetFile(self._folder / f"{table}.parquet", memory_map=True, page_checksum_verification=True)


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    combined: pa.Array = column.combine_chunks()
    return combined
