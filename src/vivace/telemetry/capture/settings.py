"""How a capture becomes templates; checked before anything is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vivace.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSettings:
    """One import. ConfigurationError names everything that is wrong with it, a line for each."""

    anonymise: bool = False
    """Replace names and values, keep structure, timing, lengths and cardinalities."""
    seed: int | None = None
    """What replacements derive from: the same seed, the same replacements; None: random ones."""
    keep_spacing: bool = False
    """Keep the time between the traces of a request; otherwise each of them starts when the request does."""
    traces_per_request: int | None = None
    """At most so many; None: as many as the bounds on spans and bytes let in."""
    spans_per_request: int = 10_000
    """At most so many spans, but no trace is split; of data points and log records at most 1,000."""
    bytes_per_request: int = 1_000_000
    memory_bytes: int = 1 << 29
    """What spans that wait for the rest of their traces may take."""
    document_bytes: int = 1 << 28
    """The largest line, document or message, after decompression; a JSON document takes some 10 times that."""

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError("\n".join(problems))

    def _problems(self) -> Iterator[str]:
        for name in ("spans_per_request", "bytes_per_request", "memory_bytes", "document_bytes"):
            if getattr(self, name) < 1:
                yield f"{name}: {getattr(self, name)} lets nothing in; give 1 or more"
        if self.traces_per_request is not None and self.traces_per_request < 1:
            yield f"traces_per_request: {self.traces_per_request} lets nothing in; give 1 or more, or leave it out"
        if self.seed is not None and not 0 <= self.seed < 1 << 64:
            yield f"seed: {self.seed} does not fit; give 0 to 2^64 - 1"
