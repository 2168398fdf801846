"""How much each span of a batch takes, nearly as in OTLP: what it shares with others counts for none of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from vivace.backend.store.batch import AttributeLists, Batch

SPAN_BYTES = 62
"""IDs, times, kind and status with their tags."""
EVENT_BYTES = 13
LINK_BYTES = 30
TAG_BYTES = 2

Sizes = npt.NDArray[np.int64]


def span_bytes(batch: Batch) -> Sizes:
    """One number for each span."""
    spans, events, links = (batch.columns[table] for table in ("spans", "events", "links"))
    sizes = SPAN_BYTES + _attributes(batch.attributes["spans"])
    for name in ("name", "status_message", "trace_state"):
        sizes += _lengths(spans[name])
    for table, fixed, text in ((events, EVENT_BYTES, "name"), (links, LINK_BYTES, "trace_state")):
        if len(table["span"]):
            own = fixed + _lengths(table[text])
            own += _attributes(batch.attributes["events" if table is events else "links"])
            sizes += np.bincount(table["span"].to_numpy(), own, minlength=len(sizes)).astype(np.int64)
    return sizes


def _lengths(texts: object) -> Sizes:
    lengths: Sizes = pc.fill_null(pc.binary_length(texts), 0).to_numpy().astype(np.int64)
    return lengths


def _attributes(lists: AttributeLists) -> Sizes:
    total = np.concatenate([[0], np.cumsum(_lengths(lists.messages)[lists.codes] + TAG_BYTES)])
    sizes: Sizes = np.diff(total[lists.offsets]).astype(np.int64)
    return sizes
