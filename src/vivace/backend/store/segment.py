"""A segment: one file of Arrow streams, one per table, mapped into memory and read without copying."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from vivace.backend.store.folder import boot, complete
from vivace.backend.store.tables import FIXED, Tables
from vivace.backend.store.unit import TablesSource


def write_segment(tables: Tables, path: Path) -> int:
    """Writes a segment; it appears complete or not at all. Returns its size in bytes.

    It is not synced where the machine's starts can be told apart: after another one it is made again from the log.
    """
    with complete(path, synced=not boot()) as temporary:
        with pa.OSFile(str(temporary), "wb") as file:
            for batch in tables.values():
                with pa.ipc.new_stream(file, batch.schema) as stream:
                    stream.write_batch(batch)
        return temporary.stat().st_size


def read_segment(path: Path) -> Tables:
    """The tables of a segment, mapped: they stay readable when the file is removed.

    Raises pyarrow.ArrowInvalid or OSError when the file is damaged or missing.
    """
    with pa.memory_map(str(path)) as file:
        return Tables(**{name: _read_table(file) for name in FIXED})


def _read_table(file: pa.MemoryMappedFile) -> pa.RecordBatch:
    with pa.ipc.open_stream(file) as stream:
        (batch,) = stream
        batch.validate()
    return batch


def open_segment(path: Path) -> TablesSource:
    """A segment as the source of a unit."""
    return TablesSource(read_segment(path))
