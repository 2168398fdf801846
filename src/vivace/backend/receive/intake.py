"""The one way into the backend, whatever the protocol: whose it is, push back, commit, count."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from vivace.backend.receive.answer import Cause, NotTaken, Taken
from vivace.backend.receive.commit import Committer
from vivace.backend.receive.figures import ReceiverFigures
from vivace.backend.receive.group import Outcome
from vivace.backend.receive.rate import Rates
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.log import log_file, log_numbers, size_of
from vivace.backend.store.manifest import LogPosition, read_manifest
from vivace.backend.store.otlp import Refused, count_spans
from vivace.backend.tenant.identity import TenantError, written_by
from vivace.backend.tenant.overrides import Overrides

MESSAGE_BYTES: Final = 64 << 20
"""The largest request, decompressed."""
WATCH_SECONDS: Final = 0.2


class Intake:
    """Takes requests."""

    def __init__(
        self,
        committer: Committer,
        figures: ReceiverFigures,
        folder: DataFolder,
        ahead_bytes: int,
        overrides: Overrides,
        *,
        multitenancy: bool,
    ) -> None:
        """Requests are pushed back while more than `ahead_bytes` of the log are not indexed."""
        self._committer = committer
        self._figures = figures
        self._folder = folder
        self._bound = ahead_bytes
        self._overrides = overrides
        self._rates = Rates()
        self._ahead = 0
        self.multitenancy = multitenancy
        """Whether requests must say whose they are."""

    def tenant(self, header: str | None) -> str:
        """Whose a request is, by its X-Scope-OrgID. NotTaken when it does not say."""
        try:
            return written_by(header, self.multitenancy)
        except TenantError as error:
            raise NotTaken(Cause.NO_TENANT if error.status == 401 else Cause.BAD_TENANT, str(error)) from error

    async def take(self, request: bytes, tenant: str, transport: str) -> Taken:
        """Returns when the request is on disk. NotTaken when it is not, and will not be."""
        started = perf_counter()
        self._figures.arrived(tenant, len(request))
        outcome = await self._outcome(request, tenant)
        if isinstance(outcome, NotTaken):
            if outcome.spans is None:
                outcome.spans = _spans(request)
            try:
                raise outcome
            finally:
                del outcome  # or it would keep this frame, and so the request, until garbage is collected
        self._figures.acknowledged(tenant, transport, outcome, len(request))
        self._figures.push.observe(perf_counter() - started)
        return outcome

    def refuse(self, refusal: NotTaken, tenant: str | None, transport: str) -> None:
        """Counts a request that was not taken."""
        self._figures.not_taken(tenant, transport, refusal)

    async def watch(self) -> None:
        """Keeps an eye on how far the log is ahead of the indexer, until cancelled."""
        while True:
            self._ahead = await asyncio.to_thread(bytes_ahead, self._folder, self._bound)
            await asyncio.sleep(WATCH_SECONDS)

    async def _outcome(self, request: bytes, tenant: str) -> Outcome:
        if self._ahead > self._bound:
            return NotTaken(Cause.OVERLOADED, f"{self._ahead} bytes of the log wait to be indexed; send again later")
        if refusal := self._rates.admit(tenant, len(request), self._overrides.of(tenant).ingestion):
            return refusal
        return await self._committer.commit(request, tenant)


def _spans(request: bytes) -> int:
    try:
        return count_spans(request)
    except Refused:
        return 0


def bytes_ahead(folder: DataFolder, bound: int) -> int:
    """How much of the log is not indexed; 0 when the whole log is within the bound, which saves reading more."""
    sizes = {number: size_of(log_file(folder.log, number)) for number in log_numbers(folder.log)}
    if sum(sizes.values()) <= bound:
        return 0
    position: LogPosition = read_manifest(folder.manifest).log
    rest = sum(size for number, size in sizes.items() if number >= position.file)
    return rest - min(position.offset, sizes.get(position.file, 0))
