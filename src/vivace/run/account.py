"""What happened in one profile's run, and from it and the ledgers the judged figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from vivace.judge.circumstances import Circumstances
from vivace.judge.verdict import judge
from vivace.ledger import PROBES, QUERIES, SENDS, read_ledger
from vivace.measure.asking import query_figures
from vivace.measure.books import unbalanced_queries, unbalanced_sends
from vivace.measure.figures import Ceiling, Figures
from vivace.measure.ingest import ingest_figures
from vivace.measure.machine import this_machine
from vivace.measure.metrics import read_metrics
from vivace.measure.usage import clock_step_ms, resource_figures
from vivace.measure.verification import verification_figures
from vivace.profile.model import Profile
from vivace.run.folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Account:
    """What is known of a run besides its ledgers."""

    profile: Profile
    seed: int
    target: Mapping[str, str]
    started: datetime
    duration_s: float
    interrupted: bool
    ceiling: Ceiling | None
    failures: tuple[str, ...]
    target_failure: str | None
    offered_requests: int | None
    """As the senders counted them; None when nothing was to be sent."""
    offered_queries: int | None
    probes: bool

    @property
    def sends(self) -> bool:
        return self.offered_requests is not None

    @property
    def asks(self) -> bool:
        return self.offered_queries is not None


def judged_figures(account: Account, folder: RunFolder) -> Figures:
    """Figures of the ledgers in the folder, judged by the profile's objectives."""
    name, vus = account.profile.name, account.profile.load.vus.max
    sends = read_ledger(folder.sends(name), SENDS) if account.sends else pl.DataFrame(schema=SENDS)
    queries = read_ledger(folder.queries(name), QUERIES) if account.asks else pl.DataFrame(schema=QUERIES)
    probes = read_ledger(folder.probes(name), PROBES) if account.probes else pl.DataFrame(schema=PROBES)
    metrics = read_metrics(folder.metrics(name))
    ingest = ingest_figures(sends, account.duration_s, vus)
    figures = Figures(
        profile=name,
        seed=account.seed,
        target=account.target,
        machine=this_machine(),
        started=account.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        duration_s=round(account.duration_s, 3),
        ingest=ingest,
        query=query_figures(queries, account.duration_s, vus),
        verification=verification_figures(probes),
        resources=resource_figures(metrics, ingest.acknowledged_spans if ingest else None),
        ceiling=account.ceiling,
        clock_step_ms=clock_step_ms(metrics),
        interrupted=account.interrupted or None,
    )
    return judge(figures, account.profile.objectives, circumstances(account, sends, queries))


def circumstances(account: Account, sends: pl.DataFrame, queries: pl.DataFrame) -> Circumstances:
    """What a verdict needs besides the figures."""
    return Circumstances(
        sends=account.sends,
        asks=account.asks,
        probes=account.probes,
        unbalanced=(
            *unbalanced_sends(sends, account.offered_requests),
            *unbalanced_queries(queries, account.offered_queries),
        ),
        failures=account.failures,
        target_failure=account.target_failure,
    )
