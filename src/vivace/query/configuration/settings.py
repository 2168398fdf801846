"""A configuration -> the settings of a load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vivace.pace import ConstantRate, Schedule, Stages, parse_stages
from vivace.profile.document import Document, read_document
from vivace.profile.validation import validate
from vivace.query.bucket import TimeBucket
from vivace.query.configuration.cross_check import cross_check
from vivace.query.configuration.model import CONFIGURATION_PATH, PlanEntryModel, QueryConfiguration
from vivace.query.kind import Kind
from vivace.query.limiter import Limiter
from vivace.query.plan import Action, Journey, NamedQuery, PlanEntry, Step
from vivace.query.recorded import Recorded
from vivace.query.settings import QuerySettings, SentTelemetry
from vivace.query.weights import weighted_plan

TOKEN_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
ENDLESS_S: Final = 10 * 365 * 86_400.0
PATH_VARIABLES: Final = ("TEMPO_CONFIG_FILE", "CONFIG_FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the command line says, before what the configuration does."""

    endpoint: str | None = None
    duration_s: float | None = None
    seed: int | None = None
    metrics_port: int | None = None
    serve_metrics: bool = True
    token_file: Path = TOKEN_FILE


def configuration_path(named: Path | None, environment: Mapping[str, str]) -> Path:
    """The file: the one that is named, else of the environment, else where a container has it."""
    if named is not None:
        return named
    found = next((environment[name] for name in PATH_VARIABLES if environment.get(name)), None)
    return CONFIGURATION_PATH if found is None else Path(found)


def read_configuration(path: Path) -> QueryConfiguration:
    """The configuration in a file; InvalidDocument with everything that is wrong with it."""
    return validated(read_document(path))


def validated(document: Document) -> QueryConfiguration:
    """The configuration in a document."""
    for problem in cross_check(document):
        document = document.with_problem(problem)
    return validate(document, QueryConfiguration)


def settings_of(configuration: QueryConfiguration, choices: Choices, ledger: Path) -> QuerySettings:
    """The load that a configuration describes; ConfigurationError when there can be no such load."""
    query = configuration.query
    buckets = tuple(
        TimeBucket(bucket.name, bucket.age_start, bucket.age_end, bucket.weight)
        for bucket in configuration.time_buckets
    )
    pace = _pace(configuration)
    lasts_s = pace.duration_s if isinstance(pace, Stages) else ENDLESS_S
    port = configuration.metrics.port if choices.metrics_port is None else choices.metrics_port
    return QuerySettings(
        base_url=choices.endpoint or configuration.tempo.query_endpoint,
        grpc_endpoint=configuration.tempo.grpc_endpoint,
        headers=configuration.tempo.headers,
        tls_authority=Path(configuration.tempo.ca_file) if configuration.tempo.ca_file else None,
        tls_verify=not configuration.tempo.insecure_skip_verify,
        tenant=configuration.tenant_id,
        bearer_file=choices.token_file,
        queries=tuple(_queries(configuration)),
        journeys=tuple(_journeys(configuration)),
        buckets=buckets,
        plan=_plan(configuration, buckets),
        pace=pace,
        vus_min=1,
        vus_max=query.total_concurrency,
        limit=query.limit,
        click_probability=query.click_probability,
        repeat_probability=query.repeat_probability,
        retries=query.retries,
        seed=query.seed if choices.seed is None else choices.seed,
        duration_s=choices.duration_s or query.duration or lasts_s,
        elapsed_s=query.data_age,
        timeout_s=query.timeout,
        largest_answer=query.largest_answer,
        sent=_sent(configuration),
        namespace=configuration.namespace,
        metrics_port=port if choices.serve_metrics else None,
        ledger=ledger,
    )


def _queries(configuration: QueryConfiguration) -> Iterator[NamedQuery]:
    for query in configuration.queries:
        yield NamedQuery(query.name, query.traceql, Kind(query.kind), query.tag, query.step, query.trace_id)


def _journeys(configuration: QueryConfiguration) -> Iterator[Journey]:
    for journey in configuration.journeys:
        steps = (Step(Action(step.action), step.query or "", step.probability, step.think) for step in journey.steps)
        yield Journey(journey.name, tuple(steps))


def _plan(configuration: QueryConfiguration, buckets: tuple[TimeBucket, ...]) -> tuple[PlanEntry, ...]:
    if configuration.execution_plan is None:
        weights = {query.name: query.weight for query in configuration.queries}
        weights |= {journey.name: journey.weight for journey in configuration.journeys}
        return weighted_plan(weights, buckets)
    return tuple(
        PlanEntry(entry.query_name, entry.bucket_name, _window(entry)) for entry in configuration.execution_plan
    )


def _window(entry: PlanEntryModel) -> TimeBucket | None:
    if entry.age_end is None:
        return None
    return TimeBucket("recorded", entry.age_start or 0.0, entry.age_end)


def _pace(configuration: QueryConfiguration) -> Schedule | Limiter:
    query = configuration.query
    times = [entry.at for entry in configuration.execution_plan or () if entry.at is not None]
    if times:
        return Recorded(tuple(times), query.replay_factor)
    if query.schedule is not None:
        return parse_stages(query.schedule)
    if query.model == "open":
        return ConstantRate(query.target_qps * query.qps_multiplier)
    return Limiter(query.target_qps, query.total_concurrency, query.burst_multiplier, query.qps_multiplier)


def _sent(configuration: QueryConfiguration) -> SentTelemetry | None:
    sent = configuration.sent
    if sent is None:
        return None
    return SentTelemetry(
        template=Path(sent.template), seed=sent.seed, ledger=Path(sent.ledger), exclusive=sent.exclusive
    )
