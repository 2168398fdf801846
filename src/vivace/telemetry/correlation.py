"""Spans of a template of traces, for logs to tell about and for exemplars to refer to.

Their IDs are left as the template has them: words that name their group and slot. Replay overwrites them in every
signal with the same random words, as long as seed and replay are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes, Numbers, Words
from vivace.telemetry.encode import decode
from vivace.telemetry.slots import marked_group
from vivace.telemetry.template import Signal, Template
from vivace.telemetry.wire import ENTRIES, scan

STATUS_ERROR: Final = 2


@dataclass(frozen=True, slots=True)
class SampledSpans:
    """Some spans, in the order of their requests; row n of every column is about span n."""

    request: Numbers
    """Which request of the template has it."""
    trace: Words
    """(spans, 2)"""
    span: Words
    resource: pa.DictionaryArray
    """Encoded."""
    name: pa.Array
    kind: npt.NDArray[np.int32]
    start: Numbers
    """Template time."""
    end: Numbers
    failed: npt.NDArray[np.bool_]
    attributes: pa.ListArray
    """Lists of encoded attributes."""

    def __len__(self) -> int:
        return self.request.size


class TracePool:
    """The spans of a template of traces, read a few at a time."""

    def __init__(self, template: Template, source: str) -> None:
        """`source` is what errors call the template. TemplateError when it holds no traces."""
        if template.signal is not Signal.TRACES:
            raise TemplateError(f"{source}: holds {template.signal}, not traces; give a template of traces")
        self._template = template
        self._source = source

    def __len__(self) -> int:
        return len(self._template)

    def sample(self, first: int, stop: int, spans: int) -> SampledSpans:
        """About so many spans, but at least one entry's, of the requests `first` to `stop` - 1: evenly spread.

        Raises TemplateError when the IDs are not marked for replay, as those of generated and imported templates are.
        """
        requests = self._template.requests
        begin, end = int(requests.start[first]), int(requests.stop[stop - 1])
        entries = scan(self._template.payload, ENTRIES, self._source, begin, end)["entries"]
        share = min(1.0, spans / max(1, int(requests.items[first:stop].sum())))
        kept = max(1, round(entries.start.size * share))
        chosen = ((np.arange(kept) + 0.5) * entries.start.size / kept).astype(np.int64)
        request = np.searchsorted(requests.stop, entries.start[chosen], "right")
        return self._read(_slices(self._template.payload, entries.start[chosen], entries.stop[chosen]), request)

    def _read(self, entries: pa.Array, request: Numbers) -> SampledSpans:
        resources = decode("ResourceSpans", entries)
        scope_entry, scopes = _flattened(resources.column("scope_spans"))
        span_scope, spans = _flattened(decode("ScopeSpans", scopes).column("spans"))
        entry = scope_entry[span_scope]
        columns = decode("Span", spans)
        trace, span = _words(columns.column("trace_id"), 2), _words(columns.column("span_id"), 1)[:, 0]
        owner = request[entry]
        group = self._template.requests.group[owner]
        if not all(np.array_equal(marked_group(words), group) for words in (trace[:, 0], trace[:, 1], span)):
            raise TemplateError(
                f"{self._source}: its IDs are not marked for replay; import it with 'vivace generate --from'"
            )
        return SampledSpans(
            request=owner,
            trace=trace,
            span=span,
            resource=resources.column("resource").dictionary_encode().take(pa.array(entry)),
            name=columns.column("name"),
            kind=columns.column("kind").to_numpy(),
            start=columns.column("start_time_unix_nano").to_numpy().astype(np.int64),
            end=columns.column("end_time_unix_nano").to_numpy().astype(np.int64),
            failed=decode("Status", columns.column("status")).column("code").to_numpy() == STATUS_ERROR,
            attributes=columns.column("attributes"),
        )


def _slices(payload: Bytes, start: Numbers, stop: Numbers) -> pa.Array:
    """Parts of the payload, in ascending order: binary."""
    edges = np.stack([start, stop], axis=1).ravel()
    buffers = [None, pa.py_buffer(edges), pa.py_buffer(payload)]
    every = pa.Array.from_buffers(pa.large_binary(), edges.size - 1, buffers)
    return every.take(pa.array(np.arange(0, edges.size, 2))).cast(pa.binary())


def _flattened(lists: pa.ListArray) -> tuple[Numbers, pa.Array]:
    """The row of each value, and the values."""
    return pc.list_parent_indices(lists).to_numpy().astype(np.int64), lists.flatten()


def _words(identifiers: pa.Array, words: int) -> Words:
    """IDs of the same length as words: (rows, words)."""
    data = b"".join(identifiers.to_pylist())
    return np.frombuffer(data, np.uint64).reshape(len(identifiers), words)
