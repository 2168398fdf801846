"""Writes a block of tables that come a slice at a time, each counting its rows from its own beginning."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.backend.compact.input import REFERENCES, SHARED, counted_from, of_tables
from vivace.backend.store.folder import sync
from vivace.backend.store.layout import PRESENCE, ROW_GROUP, table_writer
from vivace.backend.store.presence import Presence
from vivace.backend.store.row_groups import row_groups
from vivace.backend.store.tables import FIXED, Tables


class BlockWriter:
    """A block that is being written; see `block_writer`."""

    def __init__(self, folder: Path, schemas: Mapping[str, pa.Schema]) -> None:
        self._folder = folder
        self._schemas = schemas
        self._files: dict[str, _TableFile] = {}
        self._rows = dict.fromkeys(FIXED, 0)
        self._shared_rows: list[int] = []

    def write(self, tables: Tables) -> None:
        """Adds the tables of the traces that come next; resources and scopes are those of the first."""
        batches = dict(tables.items())
        for table, column, target in REFERENCES:
            batches[table] = counted_from(batches[table], column, self._rows[target])
        batches["overflow"] = self._overflow(batches["overflow"])
        shared = [batches.pop(table) for table in SHARED]
        if not self._files:
            self._shared_rows = [batch.num_rows for batch in shared]
            for table, batch in zip(SHARED, shared, strict=True):
                self._open(table, _required(batch))
                self._files[table].write(batch)
            for table in batches:
                self._open(table, self._schemas[table])
        if self._shared_rows != [batch.num_rows for batch in shared]:
            raise ValueError("the slices of a block do not have the same resources and scopes")
        for table, batch in batches.items():
            self._files[table].write(batch)
            self._rows[table] += batch.num_rows

    def close(self) -> int:
        """Returns the size in bytes of what is then on disk."""
        for file in self._files.values():
            file.close()
        paths = [*self._folder.iterdir()]
        for path in (*paths, self._folder):
            sync(path)
        return sum(path.stat().st_size for path in paths)

    def abandon(self) -> None:
        """Writes nothing more."""
        for file in self._files.values():
            file.abandon()

    def _open(self, table: str, schema: pa.Schema) -> None:
        self._files[table] = _TableFile(self._folder / f"{table}.parquet", schema)

    def _overflow(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """With rows of the whole block; what resources and scopes have in it comes with the first slice."""
        if batch.num_rows == 0:
            return batch
        row = batch.column("row").to_numpy().copy()
        for table, rows in self._rows.items():
            row[of_tables(batch, (table,))] += np.uint32(rows)
        moved = batch.set_column(1, batch.schema.field(1), pa.array(row))
        return moved.filter(pa.array(~of_tables(batch, SHARED))) if self._files else moved


class _TableFile:
    """The file of one table; all its row groups but the last are of the same size."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = table_writer(path, schema)
        self._waiting: list[pa.RecordBatch] = []
        self._presence: list[npt.NDArray[np.uint8]] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows; those that do not fill a group wait for more."""
        rows = self._fitted(batch)
        if self._waiting:
            missing = ROW_GROUP - sum(one.num_rows for one in self._waiting)
            self._wait(rows.slice(0, missing))
            rows = rows.slice(missing)
        for group in row_groups(rows, ROW_GROUP):
            if group.num_rows == ROW_GROUP:
                self._write(group)
            else:
                self._wait(group)

    def close(self) -> None:
        """Writes what waits, and where columns have values."""
        self._write_waiting()
        bits = np.concatenate(self._presence, axis=1) if self._presence else np.zeros((len(self._schema), 0), np.uint8)
        self._writer.add_key_value_metadata({PRESENCE: Presence(bits).encode()})
        self._writer.close()

    def abandon(self) -> None:
        """Leaves the file without an end, which the library would write when the object goes, whatever comes of it."""
        self._writer.is_open = False

    def _wait(self, rows: pa.RecordBatch) -> None:
        self._waiting.append(_alone(rows))
        if sum(one.num_rows for one in self._waiting) == ROW_GROUP:
            self._write_waiting()

    def _write_waiting(self) -> None:
        if self._waiting:
            together = pa.Table.from_batches(self._waiting).unify_dictionaries().combine_chunks()
            self._write(next(row_groups(together.to_batches()[0], ROW_GROUP)))
        self._waiting = []

    def _write(self, group: pa.RecordBatch) -> None:
        self._writer.write_batch(group)
        self._presence.append(Presence.of(group).bits)

    def _fitted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """With the columns of the file, whether or not this slice has all of them."""
        present = {*batch.schema.names}
        columns = [
            batch.column(field.name) if field.name in present else pa.nulls(batch.num_rows, field.type)
            for field in self._schema
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


@contextmanager
def block_writer(folder: Path, schemas: Mapping[str, pa.Schema]) -> Iterator[BlockWriter]:
    """A block that is complete and at its place once the context ends without an error, if it was closed.

    Schemas are wanted of the tables that come in slices, with nullable columns where any slice may lack a value.
    """
    temporary = folder.with_name(f"{folder.name}.tmp")
    temporary.mkdir(parents=True)
    writer = BlockWriter(temporary, schemas)
    try:
        yield writer
        temporary.rename(folder)
    except BaseException:
        writer.abandon()
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync(folder.parent)


def _required(batch: pa.RecordBatch) -> pa.Schema:
    """The schema, where columns without nulls have to have a value."""
    columns = zip(batch.schema, batch.columns, strict=True)
    return pa.schema([field.with_nullable(column.null_count > 0) for field, column in columns])


def _alone(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A copy, which keeps nothing of what the rows are a part of."""
    return batch.take(pa.array(np.arange(batch.num_rows)))
