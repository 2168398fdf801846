"""Keeps what replay overwrites in a template in a file beside it, which is memory-mapped when a template is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes, Numbers
from vivace.telemetry.places import build
from vivace.telemetry.template import Requests, Signal, Template

FORMAT: Final = "1"
COLUMNS: Final = ("start", "stop", "items", "traces", "group", "words", "span_ns")


def open_template(path: Path) -> Template:
    """See Template.open."""
    payload = _map(path)
    stamp = _stamp(path)
    index = path.with_suffix(".index")
    template = _read(index, payload, stamp)
    if template is None:
        template = build(payload, str(path))
        _verify(template, str(path))
        try:
            write_index(template, index, stamp)
        except OSError:
            return template  # where nothing can be written, the index lives in memory
    return template


def create_index(path: Path) -> Template:
    """Makes the index of a template that was just written here. Raises OSError when it cannot be written."""
    template = build(_map(path), str(path))
    write_index(template, path.with_suffix(".index"), _stamp(path))
    return template


def _map(path: Path) -> Bytes:
    try:
        if path.stat().st_size == 0:
            raise TemplateError(f"{path}: holds no spans: the file is empty; generate it again")
        return np.asarray(np.memmap(path, np.uint8, "r"))
    except OSError as error:
        raise TemplateError(f"{path}: cannot be read: {error.strerror}; generate it with 'vivace generate'") from error


def _stamp(path: Path) -> dict[str, str]:
    """What an index remembers of the bytes that it was made from."""
    status = path.stat()
    return {"format": FORMAT, "bytes": str(status.st_size), "modified": str(status.st_mtime_ns)}


def _verify(template: Template, source: str) -> None:
    """Has the protobuf library read every request: also what replay skips must be sound."""
    for number in range(len(template)):
        try:
            TracesData.FromString(template.request(number).payload.tobytes())
        except DecodeError as error:
            place = int(template.requests.start[number])
            raise TemplateError(
                f"{source}: not OTLP: {error} (after byte {place}); generate or import it again"
            ) from error


def write_index(template: Template, path: Path, stamp: Mapping[str, str]) -> None:
    """Writes the index file, one row per request, atomically. Raises OSError."""
    requests = {name: pa.array(getattr(template.requests, name)) for name in COLUMNS}
    lists = {
        "ids": _lists(template.id_bounds, offset=template.id_offset, slot=template.id_slot),
        "times": _lists(template.time_bounds, offset=template.time_offset, value=template.time_value),
    }
    batch = pa.RecordBatch.from_pydict(requests | lists).replace_schema_metadata(dict(stamp))
    temporary = path.with_suffix(f".index.{os.getpid()}.tmp")  # several workers may do this at once
    try:
        with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, batch.schema) as stream:
            stream.write_batch(batch)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _lists(bounds: Numbers, **columns: npt.NDArray[np.generic]) -> pa.LargeListArray:
    arrays = [pa.array(column) for column in columns.values()]
    return pa.LargeListArray.from_arrays(pa.array(bounds), pa.StructArray.from_arrays(arrays, list(columns)))


def _read(path: Path, payload: Bytes, stamp: Mapping[str, str]) -> Template | None:
    """The template of an index file that was made from these very bytes, else None."""
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        metadata = {key.decode(): value.decode() for key, value in (reader.schema.metadata or {}).items()}
        if metadata != dict(stamp):
            return None
        batch = reader.get_batch(0)
    except (OSError, pa.ArrowInvalid):
        return None
    ids, times = batch.column("ids"), batch.column("times")
    return Template(
        signal=Signal.TRACES,
        payload=payload,
        requests=Requests(**{name: batch.column(name).to_numpy() for name in COLUMNS}),
        id_offset=ids.values.field("offset").to_numpy(),
        id_slot=ids.values.field("slot").to_numpy(),
        id_bounds=ids.offsets.to_numpy(),
        time_offset=times.values.field("offset").to_numpy(),
        time_value=times.values.field("value").to_numpy(),
        time_bounds=times.offsets.to_numpy(),
    )
