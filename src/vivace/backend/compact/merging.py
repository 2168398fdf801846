"""Blocks -> one block, merged a range of trace IDs at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from vivace.backend.compact.block_writer import block_writer
from vivace.backend.compact.input import SLICED, Input, Unreadable
from vivace.backend.compact.plan import Job
from vivace.backend.compact.slices import Slices, kept_columns
from vivace.backend.store.decode import ATTRIBUTE_COLUMNS
from vivace.backend.store.merge import merge
from vivace.backend.store.merger import in_words
from vivace.backend.store.storage.failure import StorageFailure
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.tables import ARROW, FIXED, attribute_columns
from vivace.backend.store.unit import UnitInfo, UnitKind, unit_info
from vivace.errors import VivaceError

SLICE_ROWS: Final = 1 << 17
"""Rows that are merged at once, but for a trace that has more."""

CELLS: Final = 1 << 25
"""So many values at most are held for as long as a merge runs, which bounds its memory with SLICE_ROWS."""


class Unmergeable(Exception):
    """Blocks that cannot be made one."""

    def __init__(self, blocks: Iterable[str], reason: str, unreadable: bool = False) -> None:
        self.blocks = frozenset(blocks)
        self.unreadable = unreadable
        """It is because this block cannot be read."""
        who = ", ".join(sorted(self.blocks))
        super().__init__(
            f"block {who} is not compacted, as it cannot be read: {reason}"
            if unreadable
            else f"blocks are not compacted ({who}): {reason}"
        )


class Refused(OSError):
    """A block that storage does not give, though it can be reached; it may give others."""

    def __init__(self, block: str, reason: str) -> None:
        super().__init__(f"block {block} cannot be fetched: {reason}")
        self.block = block


def compact(job: Job, storage: Storage, place: Path, between: Callable[[], None] = lambda: None) -> UnitInfo:
    """Makes the blocks of a job one, in a new folder whose name is its ID.

    Unmergeable when that is not possible, for whatever reason; Refused when storage does not give one of them, another
    OSError when it cannot be reached, or the new block not be written. Then it left nothing, nor when `between`, which
    is called now and then, ended it by raising what is no Exception.
    """
    try:
        with ExitStack() as files:
            inputs = [files.enter_context(closing(_opened(unit, storage))) for unit in job.inputs]
            unit = merge_blocks(inputs, place, between)
    except (Unmergeable, OSError):
        raise
    except Unreadable as error:
        raise Unmergeable({error.block}, str(error), unreadable=True) from error
    except Exception as error:  # whatever it is, other blocks can be made one
        raise Unmergeable({unit.id for unit in job.inputs}, in_words(error)) from error
    return replace(unit, tenant=job.tenant, level=job.level, arrived_ns=job.arrived_ns)


def _opened(unit: UnitInfo, storage: Storage) -> Input:
    try:
        return Input(storage.fetch(unit))
    except (Unreadable, FileNotFoundError, VivaceError) as error:
        raise Unmergeable({unit.id}, str(error), unreadable=True) from error
    except StorageFailure as error:
        if not error.answered:
            raise
        raise Refused(unit.id, str(error)) from error


def merge_blocks(
    inputs: Sequence[Input],
    folder: Path,
    between: Callable[[], None] = lambda: None,
    rows: int = SLICE_ROWS,
    limit: int = ATTRIBUTE_COLUMNS,
) -> UnitInfo:
    """Writes what blocks hold as one block, whose ID is the folder's name."""
    cells = sum(one.cells for one in inputs)
    if cells > CELLS:
        raise ValueError(
            f"their resources, scopes and rare attributes are {cells} values, more than are merged at once"
        )
    columns = kept_columns(inputs, rows, limit)
    found: list[UnitInfo] = []
    with block_writer(folder, _schemas(inputs, columns)) as writer:
        for tables in map(partial(merge, columns=limit), Slices.of(inputs, rows).parts(columns)):
            between()
            writer.write(tables)
            found.append(unit_info(folder.name, UnitKind.BLOCK, tables, 0))
            del tables  # before the next are read
        size = writer.close()
    return replace(
        found[0],
        spans=sum(unit.spans for unit in found),
        traces=sum(unit.traces for unit in found),
        start_ns=min(unit.start_ns for unit in found),
        end_ns=max(unit.end_ns for unit in found),
        bytes=size,
    )


def _schemas(inputs: Sequence[Input], columns: Mapping[str, frozenset[str]]) -> Mapping[str, pa.Schema]:
    schemas = {
        "traces": pa.schema([field.with_nullable(False) for field in FIXED["traces"]]),
        "overflow": FIXED["overflow"],
    }
    for table in SLICED:
        attributes = attribute_columns(table, sorted(columns[table]))
        fields = [*FIXED[table], *(pa.field(one.name, ARROW[one.kind]) for one in attributes)]
        schemas[table] = pa.schema(
            [field.with_nullable(any(one.may_lack(table, field.name) for one in inputs)) for field in fields]
        )
    return schemas
