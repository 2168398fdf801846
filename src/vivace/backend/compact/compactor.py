"""Makes blocks one and lets old ones go: reads the manifest, and proposes to whoever owns it what to replace."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from time import monotonic, time_ns
from typing import Final

from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.compact.merging import Refused, Unmergeable, compact
from vivace.backend.compact.plan import DEFAULT_COMPACTION, CompactionSettings, Job, jobs
from vivace.backend.compact.retention import expired
from vivace.backend.store.examination import remove_path
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import Manifest, read_manifest
from vivace.backend.store.patience import Patience
from vivace.backend.store.proposal import DAMAGED, Proposal, proposal_files, propose, read_proposals, unproposed
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.unit import UnitInfo

REST_SECONDS: Final = 10.0
"""So long nothing is tried after the disk could not be written, or storage not be reached."""

AHEAD: Final = 64
AHEAD_BYTES: Final = 64 << 20
"""So many proposals may wait, which add so much; one may always be made when none waits."""
STUCK_SECONDS: Final = 300.0
"""A proposal that waits for longer does not count any more: whoever takes them may have put it off by itself."""


class Compactor:
    """Makes proposals, and does not run far ahead of who takes them. No two may work on the same data folder."""

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
        self._patience = Patience(report, "blocks are compacted again")
        self._proposed: dict[str, tuple[Proposal, Callable[[], None]]] = {}
        """By ID, what is not known yet to have taken effect, and what counts it."""
        self._since: dict[str, float] = {}
        """When each proposal that waits was first seen, by ID."""
        self._rest_until = 0.0
        for path in unproposed(folder):
            with suppress(FileNotFoundError):  # the indexer removes what it took up, at any time
                remove_path(path)

    @property
    def waiting(self) -> bool:
        """Whether a proposal has not been taken up yet."""
        return bool(proposal_files(self._folder))

    def step(self) -> bool:
        """Makes proposals, if there is something to propose and few wait; False when it made none."""
        waiting = read_proposals(self._folder)
        manifest = read_manifest(self._folder.manifest)  # after the proposals: who takes one writes it before
        self._settle({proposal.id for proposal in waiting}, manifest)
        now, now_ns = monotonic(), time_ns()
        asked_for = frozenset[str]().union(*(proposal.remove for proposal in waiting))
        free = [unit for unit in manifest.units if unit.id not in asked_for]
        resting = now < self._rest_until
        if not resting and (old := expired(free, now_ns, self._retention_s)):
            return self._let_go(old)
        ahead = self._ahead(waiting, now)
        if _enough(ahead):
            return False
        apart = self._patience.apart.at(now, {unit.id for unit in manifest.units})
        planned = [*jobs((unit for unit in free if unit.id not in apart), now_ns, self._settings)]
        self._figures.planned(planned)
        return not resting and self._compact_some(planned, ahead)

    def _ahead(self, waiting: Sequence[Proposal], now: float) -> list[Proposal]:
        """Those that are likely to be taken soon."""
        self._since = {proposal.id: self._since.get(proposal.id, now) for proposal in waiting}
        return [proposal for proposal in waiting if now - self._since[proposal.id] <= STUCK_SECONDS]

    def _settle(self, waiting: Collection[str], manifest: Manifest) -> None:
        """Counts what was proposed, once it took effect; if it did not, some of the blocks were gone before."""
        visible = {unit.id for unit in manifest.units}
        for identity in self._proposed.keys() - waiting:
            proposal, count = self._proposed.pop(identity)
            if not proposal.remove & visible:
                count()
            elif proposal.add and proposal.remove <= visible:
                self._leave_apart(Unmergeable(proposal.remove, "what they were made was refused"))

    def _let_go(self, old: Collection[UnitInfo]) -> bool:
        try:
            proposal = propose(self._folder, Proposal(frozenset(unit.id for unit in old), reason="retention"))
        except OSError as error:
            self._figures.retention_errors.inc()
            self._rest(error)
            return False
        self._figures.marked_for_deletion.inc(len(old))
        self._proposed[proposal.id] = proposal, lambda: self._figures.deleted.inc(len(old))
        self._patience.went_well()
        return True

    def _compact_some(self, planned: Sequence[Job], ahead: Sequence[Proposal]) -> bool:
        """Until enough proposals wait, or one could not be made for now."""
        made: list[Proposal] = []
        for job in planned:
            if _enough([*ahead, *made]):
                break
            try:
                made.append(self._compact(job))
            except Unmergeable as error:
                self._leave_apart(error)
            except Refused as error:
                if not self._leave_longer(error):
                    break
            except OSError as error:
                self._figures.errors.inc()
                self._rest(error)
                break
        return bool(made)

    def _compact(self, job: Job) -> Proposal:
        """Unmergeable or OSError when it cannot be done; then nothing is left of it."""
        place = self._folder.proposals / uuid.uuid4().hex
        self.merges += 1
        try:
            unit = compact(job, self._storage, place, self._between)
            remove = frozenset(one.id for one in job.inputs)
            proposal = propose(self._folder, Proposal(remove, (unit,), "compaction"))
        except OSError:
            remove_path(place)
            raise
        self._proposed[proposal.id] = proposal, lambda: self._figures.compacted(job, unit)
        self._patience.went_well()
        return proposal

    def _leave_apart(self, failure: Unmergeable) -> None:
        """Not tried again for a while; what seems damaged the indexer is to look at.

        Blocks that were replaced meanwhile need no word.
        """
        if failure.blocks <= {unit.id for unit in read_manifest(self._folder.manifest).units}:
            self._patience.apart.leave(failure.blocks, monotonic())
            self._figures.errors.inc()
            self._report(str(failure))
            if failure.unreadable:
                with suppress(OSError):  # no room for it: whoever reads the block next will say the same
                    propose(self._folder, Proposal(failure.blocks, reason=DAMAGED))

    def _leave_longer(self, refusal: Refused) -> bool:
        """Not tried again for a while, the next time for longer. False when others are not to be had either."""
        self._between()
        self._figures.errors.inc()
        if self._patience.leave(refusal.block, f"{refusal}; it is not compacted, and tried again", monotonic()):
            return True
        self._rest(refusal)
        return False

    def _rest(self, error: OSError) -> None:
        self._patience.rest(f"blocks are neither compacted nor let go: {error}; it is tried again")
        self._rest_until = monotonic() + REST_SECONDS


def _enough(ahead: Sequence[Proposal]) -> bool:
    """Whether no more blocks are to be made for now."""
    return len(ahead) >= AHEAD or sum(unit.bytes for proposal in ahead for unit in proposal.add) >= AHEAD_BYTES
