"""Finds in a template's bytes what replay overwrites, and keeps it beside them in a file that is memory-mapped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes, Numbers, Words
from vivace.telemetry.slots import References, Slots, assign
from vivace.telemetry.template import EPOCH_NS, Requests, Signal, Template
from vivace.telemetry.wire import SPAN, TRACES, Found, Message, Role, scan

FORMAT: Final = "1"
COLUMNS: Final = ("start", "stop", "items", "traces", "group", "words", "span_ns")
LARGEST: Final = (1 << 31) - 1


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


def build(payload: Bytes, source: str) -> Template:
    """The template in these bytes; `source` is what errors call them. Raises TemplateError."""
    found = scan(payload, TRACES, source)
    if "spans" not in found or not found["spans"].start.size:
        raise TemplateError(f"{source}: holds no spans; give a file with OTLP traces")
    entry_edges = np.append(0, found["resource_spans"].stop)
    entry_edges[-1] = payload.size
    traces_at, own, spans_at = _ids(found)
    references = References(
        _words(payload, traces_at),
        _words(payload, traces_at + 8),
        _entry(entry_edges, traces_at),
        own,
        _words(payload, spans_at),
        _entry(entry_edges, spans_at),
        entry_edges.size - 1,
    )
    slots = assign(references)
    starts = np.searchsorted(slots.group, np.arange(slots.traces.size))
    edges = np.append(entry_edges[starts], payload.size)
    if np.diff(edges).max() > LARGEST:
        raise TemplateError(f"{source}: traces that belong together fill over 2 GiB; split the file")
    id_place = np.concatenate([traces_at, traces_at + 8, spans_at])
    id_slot = np.concatenate([slots.trace, slots.trace + 1, slots.span])
    order = np.argsort(id_place, kind="stable")
    return _template(payload, found, _Requests(slots, edges, id_place[order], id_slot[order]))


@dataclass(frozen=True, slots=True)
class _Requests:
    slots: Slots
    edges: Numbers
    """First byte of each request, and the end of the last."""
    id_place: Numbers
    id_slot: Numbers


def _template(payload: Bytes, found: Mapping[str, Found], requests: _Requests) -> Template:
    slots, edges, id_place = requests.slots, requests.edges, requests.id_place
    start, end = found["spans"].leaves["start"], found["spans"].leaves["end"]
    first_span = np.searchsorted(start, edges[:-1])
    earliest = np.minimum.reduceat(_words(payload, start), first_span)
    latest = np.maximum.reduceat(_words(payload, end), first_span)
    time_place = np.sort(_places(TRACES, found, Role.TIME))
    time_request = np.searchsorted(edges, time_place, "right") - 1
    table = Requests(
        start=edges[:-1],
        stop=edges[1:],
        items=np.diff(first_span, append=start.size).astype(np.int32),
        traces=slots.traces.astype(np.int32),
        group=np.arange(slots.traces.size, dtype=np.int32),
        words=slots.words.astype(np.int32),
        span_ns=(latest - earliest).astype(np.int64),
    )
    return Template(
        signal=Signal.TRACES,
        payload=payload,
        requests=table,
        id_offset=(id_place - edges[np.searchsorted(edges, id_place, "right") - 1]).astype(np.int32),
        id_slot=requests.id_slot.astype(np.int32),
        id_bounds=np.searchsorted(id_place, edges).astype(np.int64),
        time_offset=(time_place - edges[time_request]).astype(np.int32),
        time_value=_words(payload, time_place) - earliest[time_request] + np.uint64(EPOCH_NS),
        time_bounds=np.searchsorted(time_place, edges).astype(np.int64),
    )


def _ids(found: Mapping[str, Found]) -> tuple[Numbers, int, Numbers]:
    """Numbers of trace IDs, how many of them are spans' own (these come first), places of span IDs."""
    own = found["spans"].leaves["trace_id"]
    others = [_places(field, found, Role.TRACE_ID, name) for name, field in SPAN.messages().items()]
    return np.concatenate([own, *others]), own.size, _places(TRACES, found, Role.SPAN_ID)


def _places(message: Message, found: Mapping[str, Found], role: Role, name: str = "") -> Numbers:
    """Where all values of one role are."""
    places = [np.zeros(0, np.int64)]
    places += [_places(field, found, role, inner) for inner, field in message.messages().items()]
    places += [found[name].leaves[leaf] for leaf, field in message.leaves().items() if field.role is role]
    every = np.concatenate(places)
    return every[every >= 0]


def _words(payload: Bytes, place: Numbers) -> Words:
    """The 8 bytes at each place."""
    view = np.ndarray((payload.size - 7,), np.uint64, payload.data, strides=(1,))
    return view[place]


def _entry(edges: Numbers, place: Numbers) -> Numbers:
    return np.searchsorted(edges, place, "right") - 1


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
