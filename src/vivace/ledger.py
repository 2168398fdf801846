"""What happened: one row per request, query and probe, written while it happens and read back for every figure.

A worker appends rows to a part file (Arrow IPC stream), flushed about once a second, so that a process that is killed
loses a second and not a run. When the run ends the parts are merged into one Parquet file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Final

import polars as pl
import pyarrow as pa
from polars.exceptions import PolarsError

from vivace.errors import OutputError

FLUSH_SECONDS: Final = 1.0

SENDS: Final = pl.Schema(
    {
        "request": pl.Int64,  # number in the schedule, over all workers
        "signal": pl.String,  # traces | metrics | logs
        "worker": pl.Int16,
        "template": pl.Int32,  # which request of the template
        "due_ns": pl.Int64,  # Unix nanoseconds
        "started_ns": pl.Int64,  # of the first attempt; null when dropped
        "ended_ns": pl.Int64,  # of the last attempt; null when dropped
        "t0_ns": pl.Int64,  # what the request's times were counted from; null when dropped
        "items": pl.Int64,  # spans, data points or log records in the request
        "bytes": pl.Int64,  # encoded size
        "outcome": pl.String,  # dropped | acknowledged | failed | unknown
        "rejected": pl.Int64,  # items that a partial success refused, of an acknowledged request
        "status": pl.String,  # gRPC or HTTP status
        "message": pl.String,  # the target's words, when it gave any
        "attempts": pl.Int16,  # how often it was sent; null when dropped
        "disorder": pl.String,  # duplicate | late | reordered | skewed | incomplete; null: none on purpose
        "copies": pl.Int64,  # of a duplicate: the request whose bytes it has
    }
)
"""Items of a row with outcome acknowledged count as acknowledged, but for the rejected ones."""

QUERIES: Final = pl.Schema(
    {
        "query": pl.Int64,  # number in the schedule
        "name": pl.String,
        "bucket": pl.String,
        "kind": pl.String,  # search | fetch | trace | tags | tag_values | metrics_range | metrics_instant | …
        "due_ns": pl.Int64,
        "started_ns": pl.Int64,  # null when dropped
        "ended_ns": pl.Int64,
        "window_start_s": pl.Int64,
        "window_end_s": pl.Int64,
        "outcome": pl.String,  # dropped | succeeded | failed
        "failure": pl.String,  # connection | timeout | status | unreadable | wrong; null when none
        "status": pl.Int32,  # HTTP status, of a streaming search gRPC's; null without an answer
        "message": pl.String,
        "bytes": pl.Int64,
        "traces": pl.Int32,
        "spans": pl.Int32,
        "inspected_spans": pl.Int64,  # as the target reports it
        "trace_id": pl.String,  # hex, of a trace that was opened
        "journey": pl.String,  # that it was a step of; null when it stood for itself
        "step": pl.Int16,  # of the question, from 0
        "items": pl.Int32,  # tags, values or series in the answer
        "retries": pl.Int16,  # attempts before the one that this row is about
        "limited": pl.Boolean,  # as many traces as were asked for came: there may be more
        "digest": pl.Int64,  # the same for the same answer; null where the target had a choice
        "checked": pl.String,  # against what was sent: right | wrong | unchecked; null when it was not looked at
    }
)

PROBES: Final = pl.Schema(
    {
        "request": pl.Int64,
        "trace_id": pl.String,
        "acknowledged_ns": pl.Int64,
        "visible_ns": pl.Int64,  # when the whole trace was first read back; null when it never was
        "polls": pl.Int32,
        "outcome": pl.String,  # found | missing | wrong | unchecked (the target gave no answer)
        "message": pl.String,  # what differs, or why it could not be read
        "spans": pl.Int32,
    }
)

Row = Sequence[object]


class LedgerWriter:
    """Appends rows, in the schema's order of columns, to a part file. Not for use by several threads at once."""

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        self._columns: list[list[object]] = [[] for _ in schema]
        self._arrow = arrow_schema(schema)
        self._file = path.open("wb")
        self._stream = pa.ipc.new_stream(self._file, self._arrow)
        self._flushed = monotonic()

    def append(self, row: Row) -> None:
        """Adds one row, and flushes when a second has passed since the last flush."""
        if len(row) != len(self._columns):
            raise ValueError(f"a row has {len(self._columns)} values, not {len(row)}")
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        if monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hands all rows so far to the operating system."""
        self._flushed = monotonic()
        if not self._columns[0]:
            return
        arrays = [pa.array(column, type=kind.type) for column, kind in zip(self._columns, self._arrow, strict=True)]
        self._stream.write_batch(pa.record_batch(arrays, schema=self._arrow))
        self._file.flush()
        for column in self._columns:
            column.clear()

    def close(self) -> None:
        """Flushes and ends the part file."""
        with self._file:
            self.flush()
            self._stream.close()

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def arrow_schema(schema: pl.Schema) -> pa.Schema:
    """The Arrow schema with the same columns and types."""
    table = pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.schema


def read_part(path: Path, schema: pl.Schema) -> pl.DataFrame:
    """The rows of a part file; a tail that was torn off by a kill is left out."""
    batches = []
    with path.open("rb") as file:
        try:
            for batch in pa.ipc.open_stream(file):
                batches.append(batch)  # noqa: PERF402 - what was read before a torn tail is kept
        except (pa.ArrowInvalid, OSError):
            pass
    if not batches:
        return pl.DataFrame(schema=schema)
    frame = pl.from_arrow(pa.Table.from_batches(batches), schema=schema)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table never becomes a series
    return frame


def merge_parts(parts: Iterable[Path], schema: pl.Schema, into: Path, extra: Sequence[Row] = ()) -> Path:
    """Merges part files and extra rows into one Parquet file ordered by the first column; removes the parts."""
    parts = list(parts)
    frames = [read_part(part, schema) for part in parts]
    if extra:
        frames.append(pl.DataFrame(list(map(list, extra)), schema=schema, orient="row"))
    merged = pl.concat(frames) if frames else pl.DataFrame(schema=schema)
    temporary = into.with_suffix(".tmp")
    try:
        merged.sort(merged.columns[0], maintain_order=True).write_parquet(temporary)
        temporary.rename(into)
    except (OSError, PolarsError) as error:
        temporary.unlink(missing_ok=True)
        kept = ", ".join(part.name for part in parts)
        raise OutputError(f"{into}: cannot be written: {error}; make room; its rows are kept in {kept}") from error
    for part in parts:
        part.unlink()
    return into


def read_ledger(path: Path, schema: pl.Schema) -> pl.DataFrame:
    """A merged ledger; columns that an older version did not know are null. OutputError when it is no such ledger."""
    try:
        frame = pl.read_parquet(path)
    except (OSError, PolarsError) as error:
        raise OutputError(f"{path}: cannot be read: {str(error).splitlines()[0]}; run the profile again") from error
    needed = {schema.names()[0], "outcome"}
    if not needed <= set(frame.columns):
        missing = ", ".join(sorted(needed - set(frame.columns)))
        raise OutputError(f"{path}: is another kind of ledger, without {missing}; put the right one there")
    return frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in schema.items()
    )


def row(schema: pl.Schema, values: Mapping[str, object]) -> list[object]:
    """A row in the schema's order from named values; what is not named is null."""
    unknown = values.keys() - schema.keys()
    if unknown:
        raise KeyError(f"not in the ledger: {', '.join(sorted(unknown))}")
    return [values.get(name) for name in schema]
