"""Answers requests from the store: what the HTTP API calls, in its worker threads, and nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.backend.query.catalogue import Catalogue, Snapshot
from vivace.backend.query.memory import Memory
from vivace.backend.query.parameters import SearchParameters
from vivace.backend.query.rebuild import rebuild
from vivace.backend.query.search import SearchRequest, search
from vivace.backend.query.shown import Json
from vivace.backend.query.tag_search import tag_pipeline
from vivace.errors import QueryError
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

MEMORY_BYTES: Final = 1 << 30

Check = Callable[[], None]
"""Raises when nobody waits for the answer any more."""


class Querier:
    """Everything that can be asked of a store."""

    def __init__(self, snapshot: Snapshot, memory_bytes: int = MEMORY_BYTES) -> None:
        """`snapshot` gives the visible units; what is computed from them is kept up to `memory_bytes`."""
        self._catalogue = Catalogue(snapshot, Memory(memory_bytes))

    def refresh(self) -> None:
        """Look at the store, so that the next request need not."""
        self._catalogue.visible()

    def search(self, parameters: SearchParameters, check: Check) -> Json:
        """The answer of /api/search."""
        request = SearchRequest(
            pipeline=_pipeline(parameters.query) if parameters.query else tag_pipeline(parameters),
            limit=parameters.limit,
            spans=parameters.spans,
            start_ns=parameters.window.start_ns,
            end_ns=parameters.window.end_ns,
            with_spansets=bool(parameters.query),
        )
        views = self._catalogue.visible()
        spans, traces = (sum(one.view.rows(table) for one in views) for table in ("spans", "traces"))
        metrics: Json = {"inspectedTraces": traces, "inspectedSpans": str(spans)} if spans else {}
        return {"traces": search(views, request, check), "metrics": metrics}

    def trace(self, trace_id: int) -> TracesData:
        """A whole trace, empty when no unit has it."""
        return rebuild(self._catalogue.pieces(trace_id))


def _pipeline(query: str) -> Pipeline:
    try:
        root = parse(query).root
    except QueryError as error:
        raise QueryError(f"invalid TraceQL query: {error}", error.line, error.column) from error
    if not isinstance(root, Pipeline):
        raise QueryError("invalid TraceQL query: a metrics query cannot be searched for; ask /api/metrics/query_range")
    return root
