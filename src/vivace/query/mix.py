"""The questions asked when nobody says which: what people look for in the telemetry that is generated here."""

from __future__ import annotations

from typing import Final

from vivace.query.bucket import TimeBucket
from vivace.query.plan import NamedQuery, PlanEntry

QUERIES: Final = (
    NamedQuery("service", '{ resource.service.name = "checkout" }'),
    NamedQuery("errors", "{ status = error }"),
    NamedQuery("slow_spans", "{ duration > 100ms }"),
    NamedQuery("route_regex", '{ span.http.route =~ "/products/.+" }'),
    NamedQuery("deployment", '{ resource.k8s.deployment.name = "cart" && kind = server }'),
    NamedQuery(
        "slow_database",
        '{ (span.db.system.name = "postgresql" || span.db.system.name = "mysql") && kind = client && duration > 5ms }',
    ),
    NamedQuery("server_errors", "{ .http.response.status_code >= 500 }"),
    NamedQuery("rpc_failures", '{ span.rpc.response.status_code != "OK" && resource.telemetry.sdk.language = "go" }'),
    NamedQuery("slow_traces", '{ rootServiceName = "frontend" && traceDuration > 200ms }'),
    NamedQuery("errors_below", '{ resource.service.name = "frontend" } >> { status = error }'),
    NamedQuery("nothing", '{ resource.service.name = "no-such-service" }'),
)

LONG_S: Final = 1200.0
"""From this duration on the buckets are the ones of a long test: 1 min, 5 min and 15 min."""
SHARES: Final = (("recent", 0.01, 0.05, 50.0), ("earlier", 0.05, 0.25, 40.0), ("oldest", 0.25, 0.75, 10.0))
"""Buckets: name, ages at which they end and begin as shares of the test, weight."""
TURNS: Final = ("recent", "earlier", "recent", "earlier", "recent", "oldest", "recent", "earlier", "recent", "earlier")
"""Buckets in the order in which they are asked, as often as they weigh; their number and that of the queries have no
common factor, so that each query meets each bucket."""


def built_in_mix(duration_s: float) -> tuple[tuple[NamedQuery, ...], tuple[TimeBucket, ...], tuple[PlanEntry, ...]]:
    """Queries, buckets and plan for a test of this duration; all buckets come into use while it runs."""
    unit_s = min(duration_s, LONG_S)
    buckets = tuple(TimeBucket(name, unit_s * end, unit_s * begin, weight) for name, end, begin, weight in SHARES)
    plan = tuple(
        PlanEntry(QUERIES[turn % len(QUERIES)].name, TURNS[turn % len(TURNS)])
        for turn in range(len(QUERIES) * len(TURNS))
    )
    return QUERIES, buckets, plan
