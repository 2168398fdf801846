"""Requests of one tenant that are committed together: decoded, checked, cut to what the tenant may write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.backend.receive.answer import Cause, NotTaken, Taken
from vivace.backend.receive.live_traces import LiveTraces, Verdict, is_limited
from vivace.backend.receive.truncate import truncated
from vivace.backend.store.batch import Batch, selected
from vivace.backend.store.flatten import flatten_counted
from vivace.backend.store.otlp import Refused
from vivace.backend.store.values import check
from vivace.backend.tenant.limits import Limits

Outcome = Taken | NotTaken

_CAUSES: Final = {cause.reason: cause for cause in (Cause.MALFORMED, Cause.TRACE_ID, Cause.SPAN_ID)}


@dataclass(frozen=True, slots=True)
class Checked:
    """What of a group is to be logged, and what becomes of each request once it is."""

    outcomes: list[Outcome]
    batch: Batch | None = None
    """None when nothing is to be logged."""
    verdict: Verdict | None = None
    """For `LiveTraces.written`."""
    discarded: Mapping[str, int] = field(default_factory=dict)
    """Spans by reason; those of requests that are refused whole do not count here."""
    cut: Mapping[str, int] = field(default_factory=dict)
    """Attributes that were cut, by scope."""


def checked(requests: Sequence[bytes], tenant: str, limits: Limits, live: LiveTraces) -> Checked:
    """All requests as one batch; when any of them is refused, the others without it."""
    batch, counts, refusals = _decoded_apart(requests)
    if batch is None or not batch.spans:
        return Checked(_outcomes(counts, refusals, {}))
    cut: dict[str, int] = {}
    if limits.ingestion.max_attribute_bytes:
        batch, cut = truncated(batch, limits.ingestion.max_attribute_bytes)
    if not is_limited(limits):
        return Checked(_outcomes(counts, refusals, {}), batch, cut=cut)
    verdict = live.judge(tenant, batch, limits)
    outcomes = _outcomes(counts, refusals, _rejected(verdict, counts))
    discarded = {reason: int(mask.sum()) for reason, mask in verdict.refused.items()}
    if discarded:
        batch = selected(batch, verdict.kept)
    return Checked(outcomes, batch if batch.spans else None, verdict, discarded, cut)


def _decoded_apart(requests: Sequence[bytes]) -> tuple[Batch | None, list[int], dict[int, NotTaken]]:
    """The batch of all good requests, how many spans each request has in it, and why others have none."""
    try:
        batch, counts = _decoded(requests)
        return batch, counts, {}
    except ValueError as error:
        if len(requests) == 1:
            return None, [0], {0: _refusal(error)}
    alone = [_decoded_apart([request]) for request in requests]
    refusals = {place: refused[0] for place, (_, _, refused) in enumerate(alone) if refused}
    good = [request for place, request in enumerate(requests) if place not in refusals]
    together = _decoded(good)[0] if good else None
    return together, [counts[0] for _, counts, _ in alone], refusals


def _refusal(error: ValueError) -> NotTaken:
    """What cannot be decoded is refused, whoever found out."""
    if isinstance(error, Refused):
        return NotTaken(_CAUSES[error.reason], str(error), error.spans or None)
    return NotTaken(Cause.MALFORMED, f"cannot be decoded: {error}")


def _decoded(requests: Sequence[bytes]) -> tuple[Batch, list[int]]:
    batch, counts = flatten_counted(requests)
    check(pa.concat_arrays([lists.messages for lists in batch.attributes.values()]))
    return batch, counts


def _rejected(verdict: Verdict, counts: Sequence[int]) -> dict[int, tuple[int, str]]:
    """By request: how many of its spans are refused, and why the first of each kind is."""
    bounds = np.concatenate([[0], np.cumsum(counts)])
    found: dict[int, tuple[int, str]] = {}
    for reason, mask in verdict.refused.items():
        spans = np.flatnonzero(mask)
        request = np.searchsorted(bounds, spans, side="right") - 1
        for place, first, count in zip(*np.unique(request, return_index=True, return_counts=True), strict=True):
            before, messages = found.get(int(place), (0, ""))
            message = verdict.explain(reason, int(spans[first]))
            found[int(place)] = before + int(count), f"{messages}; {message}".removeprefix("; ")
    return found


def _outcomes(
    counts: Sequence[int], refusals: Mapping[int, NotTaken], rejected: Mapping[int, tuple[int, str]]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for place, spans in enumerate(counts):
        less, message = rejected.get(place, (0, ""))
        outcomes.append(refusals.get(place) or Taken(spans - less, less, message))
    return outcomes
