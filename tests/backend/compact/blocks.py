"""A store of blocks that are only descriptions, and what compaction makes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from vivace.backend.compact.plan import DEFAULT_COMPACTION, CompactionSettings, Job, next_job
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.backend.tenant.identity import SINGLE_TENANT

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
EPOCH = 472_222 * HOUR
"""The beginning of a window."""
BYTES_PER_SPAN = 40

_numbers = count()


def block(
    spans: int,
    end_ns: int = EPOCH,
    level: int = 0,
    tenant: str = SINGLE_TENANT,
    *,
    kind: UnitKind = UnitKind.BLOCK,
    arrived_ns: int = 0,
) -> UnitInfo:
    return UnitInfo(
        id=f"{next(_numbers):06d}",
        kind=kind,
        spans=spans,
        traces=max(1, spans // 10),
        start_ns=end_ns - 30 * SECOND,
        end_ns=end_ns,
        bytes=spans * BYTES_PER_SPAN,
        tenant=tenant,
        level=level,
        arrived_ns=arrived_ns,
    )


@dataclass
class Simulation:
    """Blocks that come and are compacted at once, and how often spans were written anew."""

    settings: CompactionSettings = DEFAULT_COMPACTION
    blocks: list[UnitInfo] = field(default_factory=list)
    cut: int = 0
    rewritten: int = 0
    jobs: list[Job] = field(default_factory=list)
    most: int = 0
    """The most blocks that were there at a time, settled, in one window."""

    def add(self, new: UnitInfo) -> None:
        self.blocks.append(new)
        self.cut += new.spans

    def settle(self, now_ns: int) -> None:
        """Until there is nothing to do."""
        while job := next_job(self.blocks, now_ns, self.settings):
            self.replace(job)
        self.most = max([self.most, *self.windows().values()])

    def replace(self, job: Job) -> None:
        spans = sum(unit.spans for unit in job.inputs)
        taken = {unit.id for unit in job.inputs}
        assert taken <= {unit.id for unit in self.blocks}
        self.blocks = [unit for unit in self.blocks if unit.id not in taken]
        end_ns = max(unit.end_ns for unit in job.inputs)
        self.blocks.append(block(spans, end_ns, job.level, job.tenant, arrived_ns=job.arrived_ns))
        self.rewritten += spans
        self.jobs.append(job)

    def windows(self) -> Counter[int]:
        return Counter(unit.end_ns // HOUR for unit in self.blocks)

    @property
    def amplification(self) -> float:
        """How often a span was written anew, on average."""
        return self.rewritten / self.cut
