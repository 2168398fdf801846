"""Makes blocks one and lets old ones go: reads the manifest, and proposes to whoever owns it what to replace."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from time import monotonic, time_ns
from typing import Final

from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.compact.merging import Unmergeable, compact
from vivace.backend.compact.plan import DEFAULT_COMPACTION, CompactionSettings, Job, jobs
from vivace.backend.compact.retention import expired
from vivace.backend.store.examination import remove_path
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import Manifest, read_manifest
from vivace.backend.store.proposal import DAMAGED, Proposal, proposal_files, propose, unproposed
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.unit import UnitInfo

REST_SECONDS: Final = 10.0
"""So long nothing is tried after the disk could not be written, or storage not be reached."""
APART_SECONDS: Final = 3600.0
"""So long blocks are left alone that could not be made one."""


class Compactor:
    """Works on one proposal at a time. No two may work on the same data folder."""

    def __init__(
        self,
        folder: DataFolder,
        storage: Storage,
        figures: CompactorFigures,
        report: Callable[[str], None],
        retention_s: Callable[[str], float],
        *,
        settings: CompactionSettings = DEFAULT_COMPACTION,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Removes what an earlier one left unfinished. `retention_s` by tenant; `between` may raise to end a merge."""
        self._folder = folder
        self._storage = storage
        self._figures = figures
        self._report = report
        self._retention_s = retention_s
        self._settings = settings
        self._between = between
        self.merges = 0
        """How many were begun."""
        self._apart: dict[str, float] = {}
        """Blocks that are left alone, and until when."""
        self._proposed: tuple[Proposal, Callable[[], None]] | None = None
        self._failing = False
        self._rest_until = 0.0
        for path in unproposed(folder):
            with suppress(FileNotFoundError):  # the indexer removes what it took up, at any time
                remove_path(path)

    @property
    def waiting(self) -> bool:
        """Whether a proposal has not been taken up yet."""
        return bool(proposal_files(self._folder))

    def step(self) -> bool:
        """Makes the next proposal, if there is something to propose and none waits; False when it made none."""
        if self.waiting:
            return False
        manifest = read_manifest(self._folder.manifest)
        self._settle(manifest)
        now_ns = time_ns()
        now = monotonic()
        self._apart = {block: until for block, until in self._apart.items() if until > now}
        together = (unit for unit in manifest.units if unit.id not in self._apart)
        planned = [*jobs(together, now_ns, self._settings)]
        self._figures.planned(planned)
        if now < self._rest_until:
            return False
        if old := expired(manifest.units, now_ns, self._retention_s):
            return self._let_go(old)
        return bool(planned) and self._compact(planned[0])

    def _settle(self, manifest: Manifest) -> None:
        """Counts what was proposed last, if it took effect; if not, some of the blocks were gone before."""
        if self._proposed is None:
            return
        (proposal, count), self._proposed = self._proposed, None
        visible = {unit.id for unit in manifest.units}
        if not proposal.remove & visible:
            count()
        elif proposal.add and proposal.remove <= visible:
            self._leave_apart(Unmergeable(proposal.remove, "what they were made was refused"))

    def _let_go(self, old: Collection[UnitInfo]) -> bool:
        try:
            proposal = propose(self._folder, Proposal(frozenset(unit.id for unit in old), reason="retention"))
        except OSError as error:
            self._figures.retention_errors.inc()
            return self._rest(error)
        self._figures.marked_for_deletion.inc(len(old))
        self._proposed = proposal, lambda: self._figures.deleted.inc(len(old))
        return self._went_well()

    def _compact(self, job: Job) -> bool:
        place = self._folder.proposals / uuid.uuid4().hex
        self.merges += 1
        try:
            unit = compact(job, self._storage, place, self._between)
            remove = frozenset(one.id for one in job.inputs)
            proposal = propose(self._folder, Proposal(remove, (unit,), "compaction"))
        except Unmergeable as error:
            return self._leave_apart(error)
        except OSError as error:
            remove_path(place)
            self._figures.errors.inc()
            return self._rest(error)
        self._proposed = proposal, lambda: self._figures.compacted(job, unit)
        return self._went_well()

    def _leave_apart(self, failure: Unmergeable) -> bool:
        """Not tried again for a while; what seems damaged the indexer is to look at.

        Blocks that were replaced meanwhile need no word.
        """
        if failure.blocks <= {unit.id for unit in read_manifest(self._folder.manifest).units}:
            self._apart |= dict.fromkeys(failure.blocks, monotonic() + APART_SECONDS)
            self._figures.errors.inc()
            self._report(str(failure))
            if failure.unreadable:
                with suppress(OSError):  # no room for it: whoever reads the block next will say the same
                    propose(self._folder, Proposal(failure.blocks, reason=DAMAGED))
        return False

    def _rest(self, error: OSError) -> bool:
        if not self._failing:
            self._report(f"blocks are neither compacted nor let go: {error}; it is tried again")
        self._failing = True
        self._rest_until = monotonic() + REST_SECONDS
        return False

    def _went_well(self) -> bool:
        if self._failing:
            self._report("blocks are compacted again")
        self._failing = False
        return True
