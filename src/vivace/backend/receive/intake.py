"""The one way into the backend, whatever the protocol: push back when the log runs ahead, commit, count."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.commit import Committer
from vivace.backend.receive.figures import ReceiverFigures
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.log import log_file, log_numbers, size_of
from vivace.backend.store.manifest import LogPosition, read_manifest

MESSAGE_BYTES: Final = 64 << 20
"""The largest request, decompressed."""
WATCH_SECONDS: Final = 0.2


class Intake:
    """Takes requests."""

    def __init__(self, committer: Committer, figures: ReceiverFigures, folder: DataFolder, ahead_bytes: int) -> None:
        """Requests are pushed back while more than `ahead_bytes` of the log are not indexed."""
        self._committer = committer
        self._figures = figures
        self._folder = folder
        self._bound = ahead_bytes
        self._ahead = 0

    async def take(self, request: bytes, transport: str) -> None:
        """Returns when the request is on disk. NotTaken when it is not, and will not be."""
        started = perf_counter()
        try:
            self._push_back()
            spans = await self._committer.commit(request)
        except NotTaken as refusal:
            self.refuse(refusal, transport)
            raise
        self._figures.acknowledged(transport, spans, len(request))
        self._figures.push.observe(perf_counter() - started)

    def refuse(self, refusal: NotTaken, transport: str) -> None:
        """Counts a request that was refused before it came here."""
        self._figures.not_taken(transport, refusal)

    async def watch(self) -> None:
        """Keeps an eye on how far the log is ahead of the indexer, until cancelled."""
        while True:
            self._ahead = await asyncio.to_thread(bytes_ahead, self._folder, self._bound)
            await asyncio.sleep(WATCH_SECONDS)

    def _push_back(self) -> None:
        if self._ahead > self._bound:
            raise NotTaken(Cause.OVERLOADED, f"{self._ahead} bytes of the log wait to be indexed; send again later")


def bytes_ahead(folder: DataFolder, bound: int) -> int:
    """How much of the log is not indexed; 0 when the whole log is within the bound, which saves reading more."""
    sizes = {number: size_of(log_file(folder.log, number)) for number in log_numbers(folder.log)}
    if sum(sizes.values()) <= bound:
        return 0
    position: LogPosition = read_manifest(folder.manifest).log
    rest = sum(size for number, size in sizes.items() if number >= position.file)
    return rest - min(position.offset, sizes.get(position.file, 0))
