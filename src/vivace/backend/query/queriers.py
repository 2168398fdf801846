"""Queriers by tenants: for each set of tenants that is asked for one that sees their data alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Final

from vivace.backend.query.catalogue import Catalogue
from vivace.backend.query.known_traces import KnownTraces
from vivace.backend.query.memory import Memory
from vivace.backend.query.parameters import SECOND
from vivace.backend.query.querier import MEMORY_BYTES, Querier
from vivace.backend.query.readable import LeftOut, Views
from vivace.backend.query.workers import Allowance
from vivace.backend.store.unit import Unit
from vivace.backend.tenant.identity import SINGLE_TENANT, read_by
from vivace.backend.tenant.limits import Read
from vivace.backend.tenant.overrides import Overrides

Snapshot = Callable[[Collection[str]], Sequence[Unit]]
"""Gives the visible units of some tenants."""
MOST: Final = 64
"""For so many sets of tenants a querier is kept ready."""
ACTIVE_S: Final = 60.0
"""For so long after a query its querier takes in new units by itself; later it does when it is asked."""
IDLE_S: Final = 600.0
"""After this time without a query its memory is given back."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A querier over the data that a request may read, and what it may ask of it."""

    querier: Querier
    tenant: str
    limits: Read

    @property
    def allowance(self) -> Allowance:
        """What the request may take of the workers."""
        return Allowance(self.tenant, self.limits.max_query_time, self.limits.max_concurrent_queries)

    @property
    def search_ns(self) -> int:
        """The longest window of a search; 0 is any."""
        return round(self.limits.max_search_duration * SECOND)

    @property
    def metrics_ns(self) -> int:
        """The longest window of a metrics query; 0 is any."""
        return round(self.limits.max_metrics_duration * SECOND)

    @property
    def trace_bytes(self) -> int | None:
        """The largest trace that is answered whole; None is any."""
        return self.limits.max_bytes_per_trace or None


class Queriers:
    """Keeps queriers. Safe for use by several threads."""

    def __init__(
        self,
        snapshot: Snapshot,
        overrides: Overrides | None = None,
        multitenancy: bool = False,
        report: Callable[[str], None] = lambda _: None,
        known: KnownTraces | None = None,
    ) -> None:
        """All of them together keep what they compute up to a bound."""
        self.overrides = overrides or Overrides()
        self.left_out = LeftOut(report)
        self._snapshot = snapshot
        self._multitenancy = multitenancy
        self._views = Views(Memory(MEMORY_BYTES), known)
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, ...], tuple[Querier, float]] = OrderedDict()
        self._gone: list[Querier] = []
        """What is not kept any more, and still to be closed."""

    def reading(self, header: str | None) -> Reading:
        """What a request with this X-Scope-OrgID reads; TenantError when it may not."""
        tenants = read_by(header, self._multitenancy)
        limits = [self.overrides.of(tenant).read for tenant in tenants]
        return Reading(self._querier(tenants), "|".join(tenants), strictest(limits))

    def refresh(self) -> None:
        """Looks at the store, so that the next request need not; gives up what has not been asked for in a while."""
        with self._lock:
            if not self._multitenancy:
                self._used((SINGLE_TENANT,))
            idle = [tenants for tenants, (_, used) in self._kept.items() if monotonic() - used > IDLE_S]
            self._gone += [self._kept.pop(tenants)[0] for tenants in idle]
            closed, self._gone = self._gone, []
            active = [querier for querier, used in self._kept.values() if monotonic() - used <= ACTIVE_S]
        for querier in closed:
            querier.close()
        for querier in active:
            querier.refresh()

    def _querier(self, tenants: tuple[str, ...]) -> Querier:
        with self._lock:
            return self._used(tenants)

    def _used(self, tenants: tuple[str, ...]) -> Querier:
        known = self._kept.pop(tenants, None)
        querier = known[0] if known else self._made(tenants)
        self._kept[tenants] = querier, monotonic()
        if len(self._kept) > MOST:
            self._gone.append(self._kept.popitem(last=False)[1][0])
        return querier

    def _made(self, tenants: tuple[str, ...]) -> Querier:
        return Querier(Catalogue(lambda: self._snapshot(tenants), self._views.memory, self._views, self.left_out))


def strictest(limits: Sequence[Read]) -> Read:
    """What holds when several tenants are read at once: of each limit the lowest, 0 being none."""
    found = {name: [getattr(one, name) for one in limits if getattr(one, name)] for name in Read.model_fields}
    return limits[0].model_copy(update={name: min(values, default=0) for name, values in found.items()})
