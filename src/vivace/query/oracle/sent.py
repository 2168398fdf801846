"""What was sent: from a ledger of sends and the template come the traces again, as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.query.oracle.trace import SentSpan, SentTrace, traces_of
from vivace.telemetry.identity import trace_ids
from vivace.telemetry.patch import Patcher
from vivace.telemetry.template import Template

REMEMBERED: Final = 512
"""Requests whose traces are kept at hand."""


class SentRequest(NamedTuple):
    """A row of the ledger of sends; times are Unix nanoseconds."""

    number: int
    t0_ns: int
    ended_ns: int
    acknowledged: bool
    """Whole."""
    altered: bool
    """Whether it was sent otherwise than the template has it, on purpose; or again, by another request."""


class Sent:
    """Requests that were started, whatever became of them."""

    def __init__(self, template: Template, seed: int, sends: pl.DataFrame) -> None:
        self._template = template
        self._seed = seed
        self._patcher = Patcher(template, seed)
        self._requests = {request.number: request for request in _requests(sends)}
        groups, counts = np.unique(template.requests.group, return_counts=True)
        self._alone = frozenset(groups[counts == 1].tolist())
        self._traces = lru_cache(maxsize=REMEMBERED)(self._read)

    @property
    def requests(self) -> Iterable[SentRequest]:
        return self._requests.values()

    def owners(self, wanted: set[str]) -> Mapping[str, list[SentRequest]]:
        """Of those of the wanted traces (IDs in hex) that were sent: the requests that have spans of them."""
        owners: dict[str, list[SentRequest]] = {}
        for request in self.requests:
            for trace_id in self.trace_ids(request):
                if trace_id in wanted:
                    owners.setdefault(trace_id, []).append(request)
        return owners

    def trace_ids(self, request: SentRequest) -> list[str]:
        """In hex."""
        return [trace_id.hex() for trace_id in trace_ids(self._template, self._seed, request.number)]

    def trace(self, trace_id: str, owners: Iterable[SentRequest]) -> SentTrace:
        """A trace as it was sent, in all of the requests."""
        wanted = bytes.fromhex(trace_id)
        spans = [span for owner in owners for span in self._traces(owner.number).get(wanted, ())]
        return SentTrace(wanted, spans)

    def traces(self, request: SentRequest) -> list[SentTrace]:
        """All traces of a request."""
        return [SentTrace(trace_id, spans) for trace_id, spans in self._traces(request.number).items()]

    def place(self, request: SentRequest) -> int:
        """Which request of the template it is."""
        return request.number % len(self._template)

    def whole(self, request: SentRequest) -> bool:
        """Whether no other request has spans of its traces."""
        return int(self._template.requests.group[self.place(request)]) in self._alone

    def span_ns(self, request: SentRequest) -> int:
        """From the request's earliest start to its latest end."""
        return int(self._template.requests.span_ns[self.place(request)])

    def _read(self, number: int) -> dict[bytes, list[SentSpan]]:
        return traces_of(TracesData.FromString(self._patcher.patch(number, self._requests[number].t0_ns)))


def _requests(sends: pl.DataFrame) -> Iterable[SentRequest]:
    whole = (pl.col("outcome") == "acknowledged") & (pl.col("rejected").fill_null(0) == 0)
    copied = sends["copies"].drop_nulls().to_list()
    altered = pl.col("disorder").is_not_null() | pl.col("request").is_in(copied)
    started = sends.filter(
        pl.col("started_ns").is_not_null() & (pl.col("signal").fill_null("traces") == "traces")
    ).select("request", "t0_ns", pl.col("ended_ns").fill_null(2**62), whole.fill_null(False), altered)
    return (SentRequest(*row) for row in started.iter_rows())
