"""The traces that are being written to, and which spans would make one too large or them too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.backend.receive.span_bytes import span_bytes
from vivace.backend.store.batch import Batch
from vivace.backend.tenant.limits import Limits

GENERATION_SECONDS: Final = 15.0
"""A trace is remembered for one generation at least after it was last written to, and for two at most."""
GENERATION_TRACES: Final = 100_000
"""A generation of so many traces is over early: memory is bounded."""

Mask = npt.NDArray[np.bool_]
Key = tuple[str, bytes]
Sizes = tuple[int, int]
"""Spans and bytes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which spans of a batch are taken."""

    kept: Mask
    refused: Mapping[str, Mask] = field(default_factory=dict)
    """By reason."""
    explain: Callable[[str, int], str] = lambda reason, _: reason
    """A reason and a span's number -> what to tell of it."""
    sizes: Mapping[Key, Sizes] = field(default_factory=dict)
    """What the traces will be with what is taken."""


@dataclass(frozen=True, slots=True)
class _Traces:
    """The spans of a batch by trace."""

    identities: list[bytes]
    trace: npt.NDArray[np.intp]
    """Of each span: the number of its trace."""
    bytes: npt.NDArray[np.int64]
    spans_up_to: npt.NDArray[np.int64]
    """Of each span: it and those before it in its trace."""
    bytes_up_to: npt.NDArray[np.int64]


class LiveTraces:
    """What was written to which trace lately."""

    def __init__(self, clock: Callable[[], float] = monotonic, most: int = GENERATION_TRACES) -> None:
        self._clock = clock
        self._most = most
        self._began = clock()
        self._young: dict[Key, Sizes] = {}
        self._old: dict[Key, Sizes] = {}
        self._counts: Counter[str] = Counter()

    def judge(self, tenant: str, batch: Batch, limits: Limits) -> Verdict:
        """Spans beyond a limit are refused, later ones of the same trace as well; nothing is noted yet."""
        self._age()
        traces = _by_trace(batch)
        keys = [(tenant, identity) for identity in traces.identities]
        known = [self._known(key) for key in keys]
        room = limits.ingestion.max_traces_per_user - self._counts[tenant]
        welcome = _welcome(known, room) if limits.ingestion.max_traces_per_user else np.ones(len(keys), np.bool_)
        before = np.array([sizes or (0, 0) for sizes in known], np.int64).reshape(-1, 2)[traces.trace]
        fits = _below(before[:, 0] + traces.spans_up_to, limits.global_.max_spans_per_trace)
        fits &= _below(before[:, 1] + traces.bytes_up_to, limits.global_.max_bytes_per_trace)
        live = welcome[traces.trace]
        kept = live & fits
        if kept.all():
            return Verdict(kept, sizes=_sizes(keys, known, traces, kept))
        refused = {"live_traces_exceeded": ~live, "trace_too_large": live & ~fits}
        return Verdict(
            kept,
            {reason: mask for reason, mask in refused.items() if mask.any()},
            lambda reason, span: _message(reason, tenant, traces.identities[traces.trace[span]], limits),
            _sizes(keys, known, traces, kept),
        )

    def written(self, verdict: Verdict) -> None:
        """What was taken is in the log."""
        for key, sizes in verdict.sizes.items():
            if key not in self._young and self._old.pop(key, None) is None:
                self._counts[key[0]] += 1
            self._young[key] = sizes

    def _known(self, key: Key) -> Sizes | None:
        return self._young.get(key) or self._old.get(key)

    def _age(self) -> None:
        now = self._clock()
        if now - self._began < GENERATION_SECONDS and len(self._young) < self._most:
            return
        twice = now - self._began >= 2 * GENERATION_SECONDS
        self._old, self._young = {} if twice else self._young, {}
        self._counts = Counter(tenant for tenant, _ in self._old)
        self._began = now


def is_limited(limits: Limits) -> bool:
    """Whether there is anything to judge by."""
    bounds = (limits.global_.max_spans_per_trace, limits.global_.max_bytes_per_trace)
    return any((*bounds, limits.ingestion.max_traces_per_user))


def _by_trace(batch: Batch) -> _Traces:
    spans = batch.columns["spans"]
    words = np.stack([spans["trace_hi"].to_numpy(), spans["trace_lo"].to_numpy()], axis=1).astype(">u8")
    identities = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(words), [None, pa.py_buffer(words)])
    numbered = identities.dictionary_encode()
    trace = numbered.indices.to_numpy().astype(np.intp)
    sizes = span_bytes(batch)
    order = np.argsort(trace, kind="stable")
    return _Traces(
        numbered.dictionary.to_pylist(),
        trace,
        sizes,
        _running(np.ones(len(trace), np.int64), trace, order),
        _running(sizes, trace, order),
    )


def _running(
    amounts: npt.NDArray[np.int64], trace: npt.NDArray[np.intp], order: npt.NDArray[np.intp]
) -> npt.NDArray[np.int64]:
    """Sums within each trace up to and with each span."""
    total = np.cumsum(amounts[order])
    ordered = trace[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    before = np.concatenate([[0], total])[first]
    running = np.empty(len(trace), np.int64)
    running[order] = total - np.repeat(before, np.diff(np.append(first, len(trace))))
    return running


def _welcome(known: list[Sizes | None], room: int) -> Mask:
    """Traces that are known, and as many new ones as there is room for."""
    new = np.array([sizes is None for sizes in known], np.bool_)
    welcome: Mask = ~new | (np.cumsum(new) <= room)
    return welcome


def _below(amounts: npt.NDArray[np.int64], limit: int) -> Mask:
    return amounts <= limit if limit else np.ones(len(amounts), np.bool_)


def _sizes(keys: list[Key], known: list[Sizes | None], traces: _Traces, kept: Mask) -> dict[Key, Sizes]:
    spans = np.bincount(traces.trace[kept], minlength=len(keys)).tolist()
    size = np.bincount(traces.trace[kept], traces.bytes[kept], minlength=len(keys)).astype(np.int64).tolist()
    sizes = {}
    for key, before, more_spans, more_bytes in zip(keys, known, spans, size, strict=True):
        if more_spans:
            known_spans, known_bytes = before or (0, 0)
            sizes[key] = known_spans + more_spans, known_bytes + more_bytes
    return sizes


def _message(reason: str, tenant: str, trace: bytes, limits: Limits) -> str:
    if reason == "live_traces_exceeded":
        most = limits.ingestion.max_traces_per_user
        return f"LIVE_TRACES_EXCEEDED: max live traces exceeded for tenant {tenant}: per-user traces limit ({most})"
    spans, size = limits.global_.max_spans_per_trace, limits.global_.max_bytes_per_trace
    bounds = " or ".join([f"{spans} spans"] * bool(spans) + [f"{size} bytes"] * bool(size))
    where = f"trace {trace.hex()} for tenant {tenant}"
    return f"TRACE_TOO_LARGE: max size of trace ({bounds}) exceeded while adding to {where}"
