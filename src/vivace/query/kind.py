"""The kinds of requests that users of a tracing backend make."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """As in configurations and in the ledger."""

    SEARCH = "search"
    FETCH = "fetch"
    """Opens the first trace that a search has found."""
    TRACE = "trace"
    """A trace by its ID, one of those that were sent, or a given one."""
    TAGS = "tags"
    TAG_VALUES = "tag_values"
    METRICS_RANGE = "metrics_range"
    METRICS_INSTANT = "metrics_instant"
    STREAMING_SEARCH = "streaming_search"
    """Over gRPC."""

    @property
    def finds_traces(self) -> bool:
        """Whether a trace can be opened from the answer."""
        return self in {Kind.SEARCH, Kind.STREAMING_SEARCH}

    @property
    def is_metrics(self) -> bool:
        return self in {Kind.METRICS_RANGE, Kind.METRICS_INSTANT}

    @property
    def opens_trace(self) -> bool:
        return self in {Kind.FETCH, Kind.TRACE}
