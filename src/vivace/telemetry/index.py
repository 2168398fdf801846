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
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes, Numbers
from vivace.telemetry.compressed import SUFFIX, is_compressed, unpacked
from vivace.telemetry.items import build_items
from vivace.telemetry.parts import Parts
from vivace.telemetry.places import build
from vivace.telemetry.template import NO_PLACES, Requests, Signal, Template, Values

FORMAT: Final = "3"
MESSAGES: Final[Mapping[Signal, type[TracesData | MetricsData | LogsData]]] = {
    Signal.TRACES: TracesData,
    Signal.METRICS: MetricsData,
    Signal.LOGS: LogsData,
}
COLUMNS: Final = ("start", "stop", "items", "traces", "group", "words", "span_ns")


def open_template(path: Path) -> Template:
    """See Template.open."""
    payload = _map(path)
    stamp = _stamp(path)
    index = path.with_suffix(".index")
    template = _read(index, payload, stamp)
    if template is None:
        template = _build(payload, path)
        _verify(template, str(path))
        try:
            write_index(template, index, stamp)
        except OSError:
            return template  # where nothing can be written, the index lives in memory
    return template


def create_index(path: Path) -> Template:
    """Makes the index of a template that was just written here. Raises OSError when it cannot be written."""
    template = _build(_map(path), path)
    write_index(template, path.with_suffix(".index"), _stamp(path))
    return template


def index_parts(path: Path, parts: Parts, signal: Signal = Signal.TRACES) -> Template:
    """The same of a template whose parts were indexed while they were made."""
    index = path.with_suffix(".index")
    payload, stamp = _map(path), _stamp(path)
    write_index(parts.whole(signal, payload), index, stamp)
    template = _read(index, payload, stamp)
    if template is None:
        raise OSError(f"{index} changed while it was written")
    return template


def copy_index(template: Template, path: Path) -> None:
    """Writes the index of a template for another file with the same bytes. Raises OSError."""
    write_index(template, path.with_suffix(".index"), _stamp(path))


def _build(payload: Bytes, path: Path) -> Template:
    """Of the signal that the file's name ends with, or else of the first that its bytes can be."""
    stem = path.name.removesuffix(SUFFIX).removesuffix(".pb")
    named = [signal for signal in Signal if stem == signal or stem.endswith(f"-{signal}")]
    if named:
        return _built(payload, path, named[0])
    refusals = []
    for signal in Signal:
        try:
            return _built(payload, path, signal)
        except TemplateError as refusal:
            refusals.append(refusal)
    raise refusals[0]


def _built(payload: Bytes, path: Path, signal: Signal) -> Template:
    return build(payload, str(path)) if signal is Signal.TRACES else build_items(payload, str(path), signal)


def _map(path: Path) -> Bytes:
    try:
        if path.stat().st_size == 0:
            raise TemplateError(f"{path}: holds nothing: the file is empty; generate it again")
        if is_compressed(path):
            return unpacked(path)
        return np.asarray(np.memmap(path, np.uint8, "r"))
    except OSError as error:
        raise TemplateError(f"{path}: cannot be read: {error.strerror}; generate it with 'vivace generate'") from error


def _stamp(path: Path) -> dict[str, str]:
    """What an index remembers of the bytes that it was made from."""
    status = path.stat()
    return {"format": FORMAT, "bytes": str(status.st_size), "modified": str(status.st_mtime_ns)}


def _verify(template: Template, source: str) -> None:
    """Has the protobuf library read every request: also what replay skips must be sound."""
    message = MESSAGES[template.signal]
    for number in range(len(template)):
        try:
            message.FromString(template.request(number).payload.tobytes())
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
        "groups": _lists(template.group_bounds, group=template.groups, words=template.group_words),
    } | _value_columns(template)
    batch = pa.RecordBatch.from_pydict(requests | lists).replace_schema_metadata({**stamp, "signal": template.signal})
    temporary = path.with_suffix(f".index.{os.getpid()}.tmp")  # several workers may do this at once
    try:
        with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, batch.schema) as stream:
            stream.write_batch(batch)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _value_columns(template: Template) -> dict[str, pa.Array]:
    fresh = template.values
    if fresh is None:
        fresh = Values(NO_PLACES, NO_PLACES, np.zeros(len(template) + 1, np.int64), np.zeros(len(template), np.int32))
    return {
        "values": _lists(fresh.bounds, offset=fresh.offset, slot=fresh.slot),
        "value_words": pa.array(fresh.words),
    }


def _values(batch: pa.RecordBatch) -> Values | None:
    values = batch.column("values")
    if not len(values.values):
        return None
    offset, slot = (values.values.field(name).to_numpy() for name in ("offset", "slot"))
    return Values(offset, slot, values.offsets.to_numpy(), batch.column("value_words").to_numpy())


def _lists(bounds: Numbers, **columns: npt.NDArray[np.generic]) -> pa.LargeListArray:
    arrays = [pa.array(column) for column in columns.values()]
    return pa.LargeListArray.from_arrays(pa.array(bounds), pa.StructArray.from_arrays(arrays, list(columns)))


def _read(path: Path, payload: Bytes, stamp: Mapping[str, str]) -> Template | None:
    """The template of an index file that was made from these very bytes, else None."""
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        metadata = {key.decode(): value.decode() for key, value in (reader.schema.metadata or {}).items()}
        signal = metadata.pop("signal", "")
        if metadata != dict(stamp):
            return None
        batch = reader.get_batch(0)
    except (OSError, pa.ArrowInvalid):
        return None
    ids, times, groups = (batch.column(name) for name in ("ids", "times", "groups"))
    return Template(
        signal=Signal(signal),
        payload=payload,
        requests=Requests(**{name: batch.column(name).to_numpy() for name in COLUMNS}),
        id_offset=ids.values.field("offset").to_numpy(),
        id_slot=ids.values.field("slot").to_numpy(),
        id_bounds=ids.offsets.to_numpy(),
        time_offset=times.values.field("offset").to_numpy(),
        time_value=times.values.field("value").to_numpy(),
        time_bounds=times.offsets.to_numpy(),
        groups=groups.values.field("group").to_numpy(),
        group_words=groups.values.field("words").to_numpy(),
        group_bounds=groups.offsets.to_numpy(),
        values=_values(batch),
    )
