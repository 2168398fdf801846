"""What a target must be able to give back: one trace of an acknowledged request, computed again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vivace.measure.probing.spans import Facts, spans_of
from vivace.send.board import Acknowledged
from vivace.telemetry.identity import trace_ids
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Template


@dataclass(frozen=True, slots=True)
class SentTrace:
    """A trace as it was sent."""

    trace_id: bytes
    spans: list[Facts]
    whole: bool
    """Whether no other request has spans of it."""


def sent_trace(template: Template, seed: int, acknowledged: Acknowledged, draw: float) -> SentTrace:
    """One of the request's traces, which one `draw` (0 to 1) decides."""
    identifiers = trace_ids(template, seed, acknowledged.number)
    chosen = identifiers[int(draw * len(identifiers))]
    data = sent_request(template, seed, acknowledged.number, acknowledged.t0_ns)
    groups = template.requests.group
    alone = int(np.count_nonzero(groups == groups[acknowledged.request])) == 1
    return SentTrace(chosen, spans_of(data, chosen), alone)
