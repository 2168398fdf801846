"""The endpoints for autocompletion: names and values of tags, in both versions of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vivace.backend.query.parameters import search_window, tag_limit
from vivace.backend.query.querier import Check, Querier
from vivace.backend.query.shown import Json
from vivace.backend.query.tags import INTRINSIC_NAMES, TagRequest
from vivace.errors import QueryError
from vivace.traceql.identifier import parse_identifier
from vivace.traceql.incomplete import complete_conditions
from vivace.traceql.parser import parse
from vivace.traceql.tree import Attribute, IntrinsicField, MetricsPipeline, Pipeline, Scope

_SCOPES: Final = (Scope.EVENT, Scope.INSTRUMENTATION, Scope.LINK, Scope.RESOURCE, Scope.SPAN)
_INTRINSIC: Final = "intrinsic"
_OLD_NAMES: Final = {"root.name": "rootName", "root.service.name": "rootServiceName"}


def names_v1(querier: Querier, given: Mapping[str, str], check: Check) -> Json:
    """GET /api/search/tags: names of all scopes together, or of one; intrinsics only when asked for."""
    scope = _scope(given)
    if scope == _INTRINSIC:
        return {"tagNames": _limited(INTRINSIC_NAMES, given), "metrics": {}}
    found = querier.tag_names(_request(given, check, filtered=False), _chosen(scope))
    together = sorted({name for names in found.values() for name in names})
    return {"tagNames": _limited(together, given), "metrics": {}}


def names_v2(querier: Querier, given: Mapping[str, str], check: Check) -> Json:
    """GET /api/v2/search/tags: names by scope."""
    scope = _scope(given)
    by_scope: dict[str, list[str]] = {}
    if scope != _INTRINSIC:
        found = querier.tag_names(_request(given, check, filtered=True), _chosen(scope))
        by_scope = {one.value: _limited(names, given) for one, names in found.items() if names}
    if scope in ("", _INTRINSIC):
        by_scope[_INTRINSIC] = _limited(INTRINSIC_NAMES, given)
    return {"scopes": [{"name": name, "tags": names} for name, names in by_scope.items()], "metrics": {}}


def values_v1(querier: Querier, tag: str, given: Mapping[str, str], check: Check) -> Json:
    """GET /api/search/tag/{tag}/values: values as text."""
    found = querier.tag_values(_request(given, check, filtered=False), _old_tag(tag))
    texts = sorted({one.text for one in found if one.type != "keyword"})
    return {"tagValues": _limited(texts, given), "metrics": {}}


def values_v2(querier: Querier, tag: str, given: Mapping[str, str], check: Check) -> Json:
    """GET /api/v2/search/tag/{tag}/values: values with their types; `tag` is written as in TraceQL."""
    try:
        field = parse_identifier(tag)
    except QueryError as error:
        raise QueryError(f"please provide a valid tagName: failed to parse identifier {tag}: {error}") from error
    found = querier.tag_values(_request(given, check, filtered=True), field)
    values = [{"type": one.type, "value": one.text} for one in found]
    limit = tag_limit(given)
    return {"tagValues": values[:limit] if limit else values, "metrics": {}}


def _old_tag(tag: str) -> Attribute | IntrinsicField:
    """Names without a scope, as the older API has them: an intrinsic's, or any key."""
    name = _OLD_NAMES.get(tag, tag)
    if name in INTRINSIC_NAMES:
        return parse_identifier(name)
    for scope in _SCOPES:
        if name.startswith(f"{scope.value}.") and len(name) > len(scope.value) + 1:
            return Attribute(scope, name.removeprefix(f"{scope.value}."))
    return Attribute(Scope.NONE, name)


def _scope(given: Mapping[str, str]) -> str:
    scope = given.get("scope", "")
    if scope in ("", "none"):
        return ""
    if scope != _INTRINSIC and scope not in {one.value for one in _SCOPES}:
        raise QueryError(f"invalid scope: {scope}")
    return scope


def _chosen(scope: str) -> tuple[Scope, ...]:
    return (Scope(scope),) if scope else _SCOPES


def _request(given: Mapping[str, str], check: Check, *, filtered: bool) -> TagRequest:
    window = search_window(given)
    return TagRequest(window, _filter(given.get("q", "")) if filtered else None, check)


def _filter(query: str) -> Pipeline | None:
    """Of a query that is not valid, as it is while it is being typed, only what is complete filters."""
    if not query:
        return None
    try:
        root = parse(query).root
    except QueryError:
        return complete_conditions(query)
    if isinstance(root, MetricsPipeline):
        return root.pipeline
    return root if isinstance(root, Pipeline) else None


def _limited(names: tuple[str, ...] | list[str], given: Mapping[str, str]) -> list[str]:
    limit = tag_limit(given)
    return list(names[:limit] if limit else names)
