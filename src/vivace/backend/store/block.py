"""A block: a folder of Parquet files, one per table, of which single columns and groups of rows are read."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from vivace.backend.store.folder import sync
from vivace.backend.store.layout import PRESENCE, ROW_GROUP, leaves, table_writer
from vivace.backend.store.presence import Presence
from vivace.backend.store.row_groups import row_groups
from vivace.backend.store.tables import FIXED, Tables

USE_SECONDS: Final = 5.0
"""So often at most is it said of a block that may be taken away that it is in use."""
ATTEMPTS: Final = 5


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
    dense = _without_needless_nulls(batch)
    with table_writer(path, dense.schema) as writer:
        for group in row_groups(dense, ROW_GROUP):
            writer.write_batch(group)
        writer.add_key_value_metadata({PRESENCE: Presence.of(batch).encode()})
    sync(path)
    return path.stat().st_size


def _without_needless_nulls(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Says of columns that every row has a value where that is so: they take a third less time to write."""
    fields = [
        field.with_nullable(column.null_count > 0) for field, column in zip(batch.schema, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields))


class BlockSource:
    """A block as the source of a unit; files are opened when they are first asked for. Safe for use by several threads.

    OSError or pyarrow.ArrowInvalid come from whatever reads a damaged or missing file.
    """

    def __init__(self, folder: Path, fetch: Callable[[], object] | None = None) -> None:
        """`fetch` brings the folder back when it is not there; then it may be taken away at any time."""
        self._folder = folder
        self._fetch = fetch
        self._used_at = 0.0
        self._folder_then: int | None = None
        self._opened = lru_cache(maxsize=len(FIXED))(self._open)
        self._schema = lru_cache(maxsize=len(FIXED))(self._read_schema)
        self._presence = lru_cache(maxsize=len(FIXED))(self._read_presence)

    def names(self, table: str) -> list[str]:
        """See Source."""
        names: list[str] = self._schema(table).names
        return names

    def rows(self, table: str) -> int:
        """See Source."""
        rows: int = self._file(table).metadata.num_rows
        return rows

    def column(self, table: str, name: str) -> pa.Array:
        """See Source."""
        file = self._file(table)
        leaf = leaves(pa.schema([self._schema(table).field(name)]))
        return _chunk(file.read(columns=leaf, use_threads=False).column(0))

    def slice(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """See Source."""
        return self._some(table, first, count, self.names(table))

    def filled(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """See Source."""
        presence = self._presence(table)
        names = self.names(table)
        return self._some(table, first, count, presence.within(names, first, count) if presence and count else names)

    def _some(self, table: str, first: int, count: int, names: list[str]) -> pa.RecordBatch:
        file = self._file(table)
        schema = pa.schema([self._schema(table).field(name) for name in names])
        size = file.metadata.row_group(0).num_rows if file.metadata.num_row_groups else ROW_GROUP
        groups = list(range(first // size, -(-(first + count) // size)))
        read = file.read_row_groups(groups, leaves(schema), use_threads=True) if count else schema.empty_table()
        rows = read.select(names).slice(first - size * groups[0] if groups else 0, count)
        return pa.RecordBatch.from_arrays([_chunk(column) for column in rows.columns], schema=schema)

    def schema(self, table: str) -> pa.Schema:
        """As the file has it, where columns in which every row has a value are not nullable."""
        return self._file(table).schema_arrow

    def tables(self) -> Tables:
        """All of the block."""
        return Tables(**{name: self.slice(name, 0, self.rows(name)) for name in FIXED})

    def close(self) -> None:
        """Closes the files; what is read next opens them again."""
        self._opened.cache_clear()

    def let_go(self) -> None:
        """Closes the files when their folder is gone or another, so that they no longer take up space.

        What is read next is read anew.
        """
        if self._folder_now() != self._folder_then:
            self._opened.cache_clear()

    def _folder_now(self) -> int | None:
        """What tells a folder from one that took its place; None when it is gone."""
        try:
            return self._folder.stat().st_ino
        except FileNotFoundError:
            return None

    def _file(self, table: str) -> pq.ParquetFile:
        if self._fetch is not None and monotonic() - self._used_at > USE_SECONDS:
            self._used_at = monotonic()
            self.let_go()
            with suppress(FileNotFoundError):  # it is about to be fetched
                os.utime(self._folder)
        return self._opened(table)

    def _open(self, table: str) -> pq.ParquetFile:
        if self._fetch is None:
            return self._open_now(table)
        for _ in range(ATTEMPTS):
            self._fetch()
            with suppress(FileNotFoundError):  # taken away again meanwhile, to make room for others
                return self._open_now(table)
        message = f"was taken away {ATTEMPTS} times before it could be read; keep more blocks locally"
        raise OSError(errno.EBUSY, message, str(self._folder))

    def _open_now(self, table: str) -> pq.ParquetFile:
        if (now := self._folder_now()) != self._folder_then:
            self._opened.cache_clear()
            self._folder_then = now
        path = self._folder / f"{table}.parquet"
        # not buffered ahead: what one thread has buffered, another that reads the same file would take away
        return pq.ParquetFile(path, memory_map=True, page_checksum_verification=True, pre_buffer=False)

    def _read_schema(self, table: str) -> pa.Schema:
        """As it was before writing, when every column could have nulls."""
        return pa.schema([field.with_nullable(True) for field in self.schema(table)])

    def _read_presence(self, table: str) -> Presence | None:
        """None for a file that does not say."""
        said = (self._file(table).metadata.metadata or {}).get(PRESENCE)
        return None if said is None else Presence.decode(said, len(self.names(table)))


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    combined: pa.Array = column.combine_chunks()
    return combined
