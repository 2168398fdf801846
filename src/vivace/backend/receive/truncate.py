"""Cuts keys and texts of attributes that are longer than a tenant's may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.batch import AttributeLists, Batch
from vivace.backend.store.values import attributes_of

SCOPES: Final[Mapping[str, str]] = {
    "resources": "resource",
    "scopes": "scope",
    "spans": "span",
    "events": "event",
    "links": "link",
}
"""What the metric calls whose attributes they are."""


def truncated(batch: Batch, limit: int) -> tuple[Batch, dict[str, int]]:
    """The batch with no key and no text of more bytes than the limit, and by scope how many were cut."""
    attributes, counts = dict(batch.attributes), {}
    for table, lists in batch.attributes.items():
        long = np.flatnonzero(pc.binary_length(lists.messages).to_numpy() > limit)
        if len(long):
            attributes[table], cut = _truncated(lists, long.tolist(), limit)
            if cut:
                counts[SCOPES[table]] = cut
    return replace(batch, attributes=attributes), counts


def _truncated(lists: AttributeLists, long: list[int], limit: int) -> tuple[AttributeLists, int]:
    messages, cuts = lists.messages.to_pylist(), np.zeros(len(lists.messages), np.int64)
    for number, attribute in zip(long, attributes_of(lists.messages.take(pa.array(long))), strict=True):
        key, value = attribute.key.encode(), attribute.value.string_value.encode()
        cuts[number] = (len(key) > limit) + (len(value) > limit)
        if len(key) > limit:
            attribute.key = _cut(key, limit)
        if len(value) > limit:
            attribute.value.string_value = _cut(value, limit)
        if cuts[number]:
            messages[number] = attribute.SerializeToString()
    numbered = pa.array(messages, pa.binary()).dictionary_encode()
    codes = numbered.indices.to_numpy()[lists.codes]
    return AttributeLists(lists.offsets, codes, numbered.dictionary), int(cuts[lists.codes].sum())


def _cut(text: bytes, limit: int) -> str:
    """As much of a text as fits; no character is halved."""
    return text[:limit].decode(errors="ignore")
