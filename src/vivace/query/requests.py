"""A query and its window -> the HTTP request that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final, NamedTuple
from urllib.parse import quote

from vivace.query.answer import Found
from vivace.query.answers.names import read_tag_values, read_tags
from vivace.query.answers.search import read_search
from vivace.query.answers.series import read_instant, read_range
from vivace.query.answers.trace import read_trace, read_trace_v1
from vivace.query.bucket import Window
from vivace.query.kind import Kind
from vivace.query.plan import NamedQuery

JSON: Final = "application/json"
PROTOBUF: Final = "application/protobuf"


class Request(NamedTuple):
    """What is asked for, and how the answer is read; `read` raises Failed."""

    path: str
    accept: str
    read: Callable[[bytes], Found]
    older: Request | None = None
    """The same of the first version of the API, for targets that do not have the second."""


def request_for(query: NamedQuery, window: Window | None, limit: int) -> Request:
    """Of every kind but those that open a trace."""
    match query.kind:
        case Kind.TAGS:
            parameters = _parameters(window, limit=limit)
            older = Request(f"/api/search/tags{_parameters(window)}", JSON, read_tags)
            return Request(f"/api/v2/search/tags{parameters}", JSON, read_tags, older)
        case Kind.TAG_VALUES:
            tag = _quoted(query.tag)
            parameters = _parameters(window, q=query.traceql, limit=limit)
            older = Request(f"/api/search/tag/{tag}/values{_parameters(window)}", JSON, read_tag_values)
            return Request(f"/api/v2/search/tag/{tag}/values{parameters}", JSON, read_tag_values, older)
        case Kind.METRICS_RANGE:
            parameters = _parameters(window, q=query.traceql, step=query.step_s)
            read = partial(read_range, window=window, step_s=query.step_s)
            return Request(f"/api/metrics/query_range{parameters}", JSON, read)
        case Kind.METRICS_INSTANT:
            return Request(f"/api/metrics/query{_parameters(window, q=query.traceql)}", JSON, read_instant)
        case _:
            parameters = _parameters(window, q=query.traceql, limit=limit)
            return Request(f"/api/search{parameters}", JSON, partial(read_search, window=window, limit=limit))


def request_for_trace(trace_id: str) -> Request:
    """A whole trace."""
    older = Request(f"/api/traces/{trace_id}", PROTOBUF, partial(read_trace_v1, trace_id=trace_id))
    return Request(f"/api/v2/traces/{trace_id}", PROTOBUF, partial(read_trace, trace_id=trace_id), older)


def _parameters(window: Window | None, q: str = "", limit: int | None = None, step: float | None = None) -> str:
    given = []
    if q:
        given.append(f"q={_quoted(q)}")
    if limit is not None:
        given.append(f"limit={limit}")
    if window is not None:
        given.append(f"start={window.start_s}&end={window.end_s}")
    if step is not None:
        given.append(f"step={step:g}")
    return f"?{'&'.join(given)}" if given else ""


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return quote(text, safe="")
