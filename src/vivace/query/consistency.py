"""Whether queries, journeys, buckets and plan fit together; everything that does not is said at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import isfinite
from typing import Final

from vivace.errors import QueryError
from vivace.query.bucket import TimeBucket
from vivace.query.kind import Kind
from vivace.query.plan import Action, Journey, NamedQuery, PlanEntry
from vivace.traceql.identifier import parse_identifier
from vivace.traceql.parser import parse

TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")
WITHOUT_TRACEQL: Final = frozenset({Kind.TAGS, Kind.TRACE})


def problems_of(
    queries: Sequence[NamedQuery],
    journeys: Sequence[Journey],
    buckets: Sequence[TimeBucket],
    plan: Sequence[PlanEntry],
) -> Iterator[str]:
    """A line for each thing that is wrong."""
    yield from _repeated("queries", [*(query.name for query in queries), *(journey.name for journey in journeys)])
    yield from _repeated("buckets", [bucket.name for bucket in buckets])
    for query in queries:
        yield from _query_problems(query)
    for bucket in buckets:
        yield from _bucket_problems(bucket)
    if buckets and all(bucket.weight == 0 for bucket in buckets):
        yield "buckets: all weights are zero; give at least one a weight above zero"
    yield from _overlaps(buckets)
    names = {query.name for query in queries}
    for journey in journeys:
        yield from _journey_problems(journey, names)
    yield from _plan_problems(plan, names | {each.name for each in journeys}, {bucket.name for bucket in buckets})


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what}: '{name}' is there {count} times; give each a name of its own"


def _query_problems(query: NamedQuery) -> Iterator[str]:
    if query.kind is Kind.FETCH:
        yield f"queries: '{query.name}' opens what a search has found; make it a step of a journey: open"
    if query.kind is Kind.TAG_VALUES:
        yield from _tag_problems(query)
    if query.trace_id is not None and not TRACE_ID.fullmatch(query.trace_id):
        yield f"queries: '{query.name}' opens '{query.trace_id[:64]}', which is no trace ID; give 32 digits in hex"
    if query.step_s is not None and not (isfinite(query.step_s) and query.step_s > 0):
        yield f"queries: '{query.name}' has the step {query.step_s}; give one above zero"
    if query.kind not in WITHOUT_TRACEQL and (query.traceql or query.kind is not Kind.TAG_VALUES):
        yield from _traceql_problems(query)


def _traceql_problems(query: NamedQuery) -> Iterator[str]:
    try:
        is_metrics = parse(query.traceql).is_metrics
    except QueryError as error:
        yield f"queries: '{query.name}': {error}; correct the TraceQL"
        return
    if is_metrics and not query.kind.is_metrics:
        yield f"queries: '{query.name}' asks for metrics; give a search, or say kind: metrics_range"
    if query.kind.is_metrics and not is_metrics:
        yield f"queries: '{query.name}' does not ask for metrics; end it with an aggregate, such as | rate()"


def _tag_problems(query: NamedQuery) -> Iterator[str]:
    try:
        parse_identifier(query.tag)
    except QueryError as error:
        yield f"queries: '{query.name}' asks for values of '{query.tag}': {error}; give a tag: resource.service.name"


def _bucket_problems(bucket: TimeBucket) -> Iterator[str]:
    if not 0 <= bucket.age_start_s < bucket.age_end_s < float("inf"):
        yield (
            f"buckets: '{bucket.name}' reaches from {bucket.age_end_s} s ago until {bucket.age_start_s} s ago; "
            "let it end 0 s ago or earlier, and begin before it ends"
        )
    if not (isfinite(bucket.weight) and bucket.weight >= 0):
        yield f"buckets: '{bucket.name}' has the weight {bucket.weight}; give a number, zero or above"


def _overlaps(buckets: Sequence[TimeBucket]) -> Iterator[str]:
    ordered = sorted(buckets, key=lambda bucket: (bucket.age_start_s, bucket.age_end_s))
    for younger, older in pairwise(ordered):
        if older.age_start_s < younger.age_end_s:
            yield (
                f"buckets: '{older.name}' and '{younger.name}' overlap between {older.age_start_s:g} s and "
                f"{min(younger.age_end_s, older.age_end_s):g} s ago; let one begin where the other ends"
            )


def _journey_problems(journey: Journey, queries: set[str]) -> Iterator[str]:
    if not journey.steps:
        yield f"journeys: '{journey.name}' has no steps; give at least one"
    elif journey.steps[0].action is not Action.ASK:
        yield f"journeys: '{journey.name}' begins with {journey.steps[0].action}; begin with a query"
    for number, step in enumerate(journey.steps, 1):
        where = f"journeys: step {number} of '{journey.name}'"
        if step.action is Action.ASK and step.query not in queries:
            yield f"{where} names the query '{step.query}', which there is not; add it to queries"
        if not 0 <= step.probability <= 1:
            yield f"{where} has the probability {step.probability}; give 0 to 1"
        if not (isfinite(step.think_s) and step.think_s >= 0):
            yield f"{where} has a think time of {step.think_s} s; give zero or more"


def _plan_problems(plan: Sequence[PlanEntry], names: set[str], buckets: set[str]) -> Iterator[str]:
    if not plan:
        yield "plan: has no entries; name at least one query and its bucket"
    for number, entry in enumerate(plan, 1):
        if entry.query not in names:
            yield f"plan: entry {number} names the query '{entry.query}', which there is not; add it to queries"
        if entry.bucket is not None and entry.bucket not in buckets:
            yield f"plan: entry {number} names the bucket '{entry.bucket}', which there is not; add it to buckets"
