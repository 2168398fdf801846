"""What is wrong between the parts of a configuration: names that nothing has, buckets that overlap, weights of zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from vivace.errors import Problem
from vivace.profile.document import Document
from vivace.profile.refusal import near, nearest
from vivace.profile.yaml_reader import Json, Location, field_name
from vivace.query.exposition import colliding
from vivace.units import parse_duration

Item = Mapping[str, Json]

EXAMPLES: Final = {
    "search": "traceql: '{ status = error }'",
    "streaming_search": "traceql: '{ status = error }'",
    "metrics_range": "traceql: '{ status = error } | rate()'",
    "metrics_instant": "traceql: '{ status = error } | rate()'",
}
"""Of the kinds that need TraceQL."""


def cross_check(document: Document) -> Iterator[Problem]:
    """Looks at what is there, well formed or not; what is not well formed, the model's validation reports."""
    queries, journeys, buckets = (list(_items(document, part)) for part in ("queries", "journeys", "timeBuckets"))
    if isinstance(document.value, dict) and document.value.get("queries") == []:
        yield _problem(document, ("queries",), "is empty", "name at least one, with its TraceQL")
    yield from _twice(document, [*queries, *journeys])
    yield from _twice(document, buckets)
    yield from _collisions(document, queries)
    yield from _overlaps(document, buckets)
    yield from _weightless(document, "timeBuckets", buckets)
    yield from _missing(document, queries)
    names, bucket_names = _names([*queries, *journeys]), _names(buckets)
    for at, journey in journeys:
        yield from _steps(document, at, journey, _names(queries))
    if isinstance(document.value, dict) and "executionPlan" not in document.value:
        yield from _weightless(document, "queries", [*queries, *journeys])
    yield from _plan(document, names, bucket_names)


def _items(document: Document, part: str) -> Iterator[tuple[Location, Item]]:
    """Where each item of a list is, and the item."""
    whole = document.value if isinstance(document.value, dict) else {}
    items = whole.get(part)
    for number, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict):
            yield (part, number), item


def _names(items: list[tuple[Location, Item]]) -> list[str]:
    return [str(item["name"]) for _, item in items if "name" in item]


def _problem(document: Document, at: Location, message: str, remedy: str) -> Problem:
    place = document.place(at)
    return Problem(place.source, field_name(at), message, remedy, place.line)


def _twice(document: Document, items: list[tuple[Location, Item]]) -> Iterator[Problem]:
    first: dict[str, Location] = {}
    for at, item in items:
        name = str(item.get("name", ""))
        if name and first.setdefault(name, at) != at:
            line = document.place((*first[name], "name")).line
            message = f'is "{name}" again, as in line {line}'
            yield _problem(document, (*at, "name"), message, "give each a name of its own")


def _collisions(document: Document, queries: list[tuple[Location, Item]]) -> Iterator[Problem]:
    places = {str(item["name"]): at for at, item in queries if "name" in item}
    for first, second in colliding(places):
        message = f'is "{second}", whose metrics would have the same names as those of "{first}"'
        yield _problem(document, (*places[second], "name"), message, "let them differ in letters, digits or length")


def _overlaps(document: Document, buckets: list[tuple[Location, Item]]) -> Iterator[Problem]:
    spans = []
    for at, bucket in buckets:
        start, end = _seconds(bucket.get("ageStart")), _seconds(bucket.get("ageEnd"))
        if start is not None and end is not None and start < end:
            spans.append((start, end, at, str(bucket.get("name"))))
    spans.sort(key=lambda span: span[:2])
    for (_, younger_end, _, younger), (older_start, _, at, _) in pairwise(spans):
        if older_start < younger_end:
            message = f'begins {older_start:g} s ago, inside "{younger}", which reaches back {younger_end:g} s'
            yield _problem(document, (*at, "ageStart"), message, "let one bucket begin where the other ends")


def _weightless(document: Document, part: str, items: list[tuple[Location, Item]]) -> Iterator[Problem]:
    if items and all(item.get("weight", 1) == 0 for _, item in items):
        yield _problem(document, (part,), "have weights that are all zero", "give at least one a weight above zero")


def _missing(document: Document, queries: list[tuple[Location, Item]]) -> Iterator[Problem]:
    for at, query in queries:
        kind = query.get("kind", "search")
        if "traceql" not in query and str(kind) in EXAMPLES:
            yield _problem(document, (*at, "traceql"), "is missing", f"add it, such as `{EXAMPLES[str(kind)]}`")
        if kind == "tag_values" and "tag" not in query:
            yield _problem(document, (*at, "tag"), "is missing", "add it, such as `tag: resource.service.name`")


def _steps(document: Document, at: Location, journey: Item, queries: list[str]) -> Iterator[Problem]:
    steps = journey.get("steps")
    if steps == []:
        yield _problem(document, (*at, "steps"), "is empty", "give at least one, such as `query: errors`")
    for number, step in enumerate(steps if isinstance(steps, list) else []):
        if not isinstance(step, dict):
            continue
        here, action = (*at, "steps", number), step.get("action", "ask")
        if action == "ask":
            yield from _known(document, (*here, "query"), step.get("query"), queries, "queries")
        elif number == 0:
            yield _problem(document, (*here, "action"), f"is {action}, with nothing before it", "begin with a query")


def _plan(document: Document, names: list[str], buckets: list[str]) -> Iterator[Problem]:
    whole = document.value if isinstance(document.value, dict) else {}
    if "executionPlan" in whole and not whole["executionPlan"]:
        remedy = "name at least one query and its bucket, or remove the plan: one is then made from weights"
        yield _problem(document, ("executionPlan",), "is empty", remedy)
    timed = [(at, entry) for at, entry in _items(document, "executionPlan") if "at" in entry]
    for at, entry in _items(document, "executionPlan"):
        if "queryName" in entry:
            yield from _known(document, (*at, "queryName"), entry["queryName"], names, "queries")
        if "bucketName" in entry:
            yield from _known(document, (*at, "bucketName"), entry["bucketName"], buckets, "timeBuckets")
        if timed and "at" not in entry:
            yield _problem(document, (*at, "at"), "is missing", "give all entries of the plan a time, or none")
    yield from _order(document, timed)


def _order(document: Document, timed: list[tuple[Location, Item]]) -> Iterator[Problem]:
    last = 0.0
    for at, entry in timed:
        moment = _seconds(entry.get("at"))
        if moment is not None and moment < last:
            message = f"is {moment:g} s, before the entry in front of it ({last:g} s)"
            yield _problem(document, (*at, "at"), message, "order the entries by time")
        last = max(last, moment or 0.0)


def _known(document: Document, at: Location, name: Json, known: list[str], part: str) -> Iterator[Problem]:
    if name is None:
        yield _problem(document, at, "is missing", f"name one of {part}" if known else f"add it to {part}")
    elif str(name) not in known:
        remedy = nearest(str(name), known) or f"add it to {part}; {near('', known)}"
        yield _problem(document, at, f'is "{name}", which {part} does not have', remedy)


def _seconds(value: Json | None) -> float | None:
    try:
        return parse_duration(value) if isinstance(value, str) else None
    except ValueError:
        return None
