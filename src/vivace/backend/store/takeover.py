"""Takes up what other processes propose: puts the blocks that they add in storage, shows them, and removes the others.

At whatever point this is broken off, it is begun again from the proposal's file, which goes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from vivace.backend.store.examination import Finding, examine, set_aside, take_back
from vivace.backend.store.folder import sync
from vivace.backend.store.holdings import RETRY_SECONDS, Holdings
from vivace.backend.store.means import Means
from vivace.backend.store.merger import in_words
from vivace.backend.store.patience import Patience
from vivace.backend.store.proposal import DAMAGED, Proposal, proposal_files, read_proposal, withdraw
from vivace.backend.store.storage.failure import StorageFailure
from vivace.backend.store.storage.local import is_whole
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.errors import VivaceError

PERIOD_SECONDS: Final = 0.4
"""How often is looked for proposals."""
AT_ONCE: Final = 64
AT_ONCE_BYTES: Final = 64 << 20
AT_ONCE_SECONDS: Final = 2.0
"""So many proposals, which add so much and are prepared in so long, are taken together: they share what a change of the
manifest costs, and do not keep blocks from being cut for long."""
GONE: Final = "what it replaces is not there any more"
"""The one objection that is no news: somebody else was first."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Proposals that can be taken now, each with what was found if blocks were to be looked at."""

    proposals: Sequence[tuple[Proposal, Sequence[Finding]]]
    failed: tuple[Proposal, Exception] | None = None
    """The one that cannot be yet, and why; those that came after it were not tried."""


class Takeover:
    """Takes proposals, the oldest first; the first to replace a unit is the one that does."""

    def __init__(self, means: Means, holdings: Holdings) -> None:
        self._folder = means.folder
        self._storage = means.storage
        self._worker = means.worker
        self._figures = means.figures
        self._report = means.report
        self._holdings = holdings
        self._running: Future[_Prepared] | None = None
        self._due = 0.0
        self._patience = Patience(means.report, "what is proposed is done again")

    def step(self) -> None:
        """Goes on, without waiting. OSError when the manifest cannot be written; then it is tried again."""
        if self._running is not None:
            if self._running.done():
                running, self._running = self._running, None
                self._finish(running.result())
        elif self._due <= monotonic():
            self._due = monotonic() + PERIOD_SECONDS
            self._begin()

    def _begin(self) -> None:
        chosen = self._chosen()
        if chosen:
            self._running = self._worker.submit(self._prepare, chosen)

    def _chosen(self) -> list[Proposal]:
        """Some that do not meet; what is to be looked at, which takes its time, comes alone."""
        chosen: list[Proposal] = []
        replaced: set[str] = set()
        size = 0
        paths = proposal_files(self._folder)
        apart = self._patience.apart.at(monotonic(), {path.stem for path in paths})
        for path in paths:
            proposal = None if path.stem in apart else self._read(path)
            if proposal is None or not self._stands(proposal):
                continue
            size += sum(unit.bytes for unit in proposal.add)
            if chosen and (len(chosen) == AT_ONCE or size > AT_ONCE_BYTES or proposal.reason == DAMAGED):
                break
            if proposal.remove.isdisjoint(replaced):
                chosen.append(proposal)
                replaced |= proposal.remove
            if proposal.reason == DAMAGED:
                break
        return chosen

    def _read(self, path: Path) -> Proposal | None:
        try:
            return read_proposal(path)
        except ValueError as error:
            self._report(f"{path}: {error}; it is in {set_aside(self._folder, path)}")
            return None

    def _stands(self, proposal: Proposal) -> bool:
        """Whether it is still to be taken; else it is withdrawn."""
        if proposal.add and self._holdings.names({unit.id for unit in proposal.add}):
            withdraw(self._folder, proposal)
            return False
        if objection := self._objection(proposal):
            self._holdings.discard([unit for unit in proposal.add if not self._holdings.names({unit.id})])
            withdraw(self._folder, proposal)
            self._figures.proposed(proposal.reason, "refused")
            if objection is not GONE:
                self._report(f"what the reason {proposal.reason!r} was given for is not done: {objection}")
            return False
        return True

    def _objection(self, proposal: Proposal) -> str:
        if not proposal.remove or not self._holdings.names(proposal.remove):
            return GONE
        removed = [unit for unit in self._holdings.manifest.units if unit.id in proposal.remove]
        if {unit.kind for unit in (*removed, *proposal.add)} != {UnitKind.BLOCK}:
            return "it is about more than blocks"
        if not {unit.tenant for unit in proposal.add} <= {unit.tenant for unit in removed}:
            return "it gives a tenant's spans to another"
        for unit in proposal.add:
            if not is_whole(self._place(proposal, unit), unit):
                return f"block {unit.id}, which it adds, is not there whole"
        return ""

    def _place(self, proposal: Proposal, unit: UnitInfo) -> Path:
        """Where an added block lies: beside the proposal, or at its place when it was moved before a crash."""
        proposed = proposal.folder(self._folder, unit)
        return proposed if proposed.exists() else self._folder.block(unit.id)

    def _prepare(self, chosen: Sequence[Proposal]) -> _Prepared:
        """In the worker."""
        prepared: list[tuple[Proposal, Sequence[Finding]]] = []
        begun = monotonic()
        for proposal in chosen:
            if prepared and monotonic() - begun >= AT_ONCE_SECONDS:
                break
            try:
                prepared.append((proposal, self._findings(proposal)))
            except Exception as error:  # whatever it is, the log is to be followed all the same
                return _Prepared(prepared, (proposal, error))
        return _Prepared(prepared)

    def _findings(self, proposal: Proposal) -> list[Finding]:
        """Puts in storage what is added, or looks at what seems damaged."""
        if proposal.reason == DAMAGED:
            suspects = [unit for unit in self._holdings.manifest.units if unit.id in proposal.remove]
            return [examine(self._folder, self._storage, unit) for unit in suspects]
        for unit in proposal.add:
            self._storage.put(unit, self._place(proposal, unit), proposal.remove)
        return []

    def _finish(self, prepared: _Prepared) -> None:
        taken = [(proposal, findings) for proposal, findings in prepared.proposals if self._still(proposal, findings)]
        self._show([proposal for proposal, _ in taken if proposal.reason != DAMAGED])
        for proposal, findings in taken:
            for finding in findings:
                self._found(finding)
            withdraw(self._folder, proposal)
            self._figures.proposed(proposal.reason, "taken")
        self._due = 0.0
        if any(proposal.add or proposal.reason == DAMAGED for proposal, _ in prepared.proposals):
            self._patience.went_well()
        if prepared.failed is not None:
            self._put_off(*prepared.failed)

    def _put_off(self, proposal: Proposal, error: Exception) -> None:
        """One that alone may be at fault is left alone for a while, else all wait."""
        failed = f"what the reason {proposal.reason!r} was given for is not done yet: {in_words(error)}"
        if not isinstance(error, (OSError, VivaceError)):
            self._patience.apart.leave([proposal.id], monotonic())
            self._report(failed)
            return
        alone = isinstance(error, StorageFailure) and error.answered
        if not (alone and self._patience.leave(proposal.id, f"{failed}; it is tried again", monotonic())):
            self._patience.rest(f"{failed}; everything proposed waits, it is tried again")
            self._due = monotonic() + RETRY_SECONDS

    def _still(self, proposal: Proposal, findings: Sequence[Finding]) -> bool:
        """Whether it is to be taken, now that all is prepared; else nothing is left of that."""
        if self._stands(proposal):
            return True
        self._holdings.discard([unit for finding in findings for unit in finding.saved or ()])
        return False

    def _show(self, proposals: Sequence[Proposal]) -> None:
        if not proposals:
            return
        for proposal in proposals:
            for unit in proposal.add:
                place = self._place(proposal, unit)
                if place != self._folder.block(unit.id):
                    place.rename(self._folder.block(unit.id))
        sync(self._folder.blocks)
        known = {unit.id: unit for unit in self._holdings.manifest.units}
        self._holdings.replace_each(
            [([known[identity] for identity in proposal.remove], proposal.add) for proposal in proposals]
        )

    def _found(self, finding: Finding) -> None:
        if not finding.fault:
            return
        kept = ""
        if finding.saved is not None:
            kept = f"; what is left of it is in {self._show_instead(finding.unit, finding.saved)}"
        self._report(f"{finding}{kept}")
        self._figures.damaged_block(finding.lost)

    def _show_instead(self, unit: UnitInfo, saved: Sequence[UnitInfo]) -> Path:
        """Returns where the block is then. It is set aside first: once it is not named any more it would be garbage at
        the next start, while one that is named is taken back."""
        place = self._folder.block(unit.id)
        try:
            aside = set_aside(self._folder, place)
            self._holdings.replace([unit], saved)
        except OSError:
            self._holdings.discard(saved)
            take_back(self._folder, place)
            raise
        return aside
