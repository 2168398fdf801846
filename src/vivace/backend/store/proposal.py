"""Proposals: what a process that does not own the manifest would have replaced or removed, a file for each.

The indexer takes them up. What a proposal adds lies complete beside it, and is moved to the blocks when it is taken.
Without its file a proposal was not made, and what lies there is garbage.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import Final

from vivace.backend.store.folder import DataFolder, complete, sync
from vivace.backend.store.unit import UnitInfo, UnitKind

SUFFIX: Final = ".json"
UNFINISHED_SECONDS: Final = 3600.0
"""Nobody takes so long to write a proposal."""
_UNFINISHED: Final = f"{SUFFIX}.tmp"
DAMAGED: Final = "damaged"
"""The reason to remove what cannot be read; it is looked at before it is believed."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Units to be taken out of the manifest, and blocks to be put in their place."""

    remove: frozenset[str]
    add: tuple[UnitInfo, ...] = ()
    reason: str = ""
    """In one word, for the figures."""
    id: str = ""

    def folder(self, data: DataFolder, unit: UnitInfo) -> Path:
        """Where a block that it adds lies until it is taken."""
        return data.proposals / unit.id


def propose(data: DataFolder, proposal: Proposal) -> Proposal:
    """Makes a proposal known; the blocks that it adds are complete and on disk by then. Returns it with its ID."""
    identity = uuid.uuid4().hex
    sync(data.proposals)
    document = {
        "remove": sorted(proposal.remove),
        "add": [asdict(unit) for unit in proposal.add],
        "reason": proposal.reason,
    }
    with complete(data.proposals / f"{identity}{SUFFIX}") as temporary:
        temporary.write_text(json.dumps(document), encoding="utf-8")
    sync(data.proposals)
    return Proposal(proposal.remove, proposal.add, proposal.reason, identity)


def proposal_files(data: DataFolder) -> list[Path]:
    """The files of those that wait to be taken, the oldest first."""
    found = []
    with os.scandir(data.proposals) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):  # it was withdrawn meanwhile
                    found.append((entry.stat().st_mtime_ns, Path(entry.path)))
    return [path for _, path in sorted(found)]


def read_proposal(path: Path) -> Proposal:
    """What a file proposes. ValueError when it cannot be understood, FileNotFoundError when it was withdrawn."""
    document = json.loads(path.read_text(encoding="utf-8"))
    try:
        add = tuple(UnitInfo(**{**unit, "kind": UnitKind(unit["kind"])}) for unit in document["add"])
        return Proposal(frozenset(document["remove"]), add, document["reason"], path.stem)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a proposal: {error!r}") from error


def read_proposals(data: DataFolder) -> list[Proposal]:
    """Those that wait to be taken and can be understood, the oldest first."""
    found = []
    for path in proposal_files(data):
        with suppress(FileNotFoundError, ValueError):  # whoever takes proposals reports what cannot be understood
            found.append(read_proposal(path))
    return found


def withdraw(data: DataFolder, proposal: Proposal) -> None:
    """Removes a proposal that was taken or cannot be, with what of its blocks still lies beside it."""
    (data.proposals / f"{proposal.id}{SUFFIX}").unlink(missing_ok=True)
    for unit in proposal.add:
        shutil.rmtree(proposal.folder(data, unit), ignore_errors=True)


def unproposed(data: DataFolder) -> list[Path]:
    """What lies among the proposals and belongs to none: garbage, once nobody is writing blocks there.

    Proposals themselves may be being written at any time; one that is not finished is garbage when it is old.
    """
    kept = {unit.id for proposal in read_proposals(data) for unit in proposal.add}
    paths = [path for path in data.proposals.iterdir() if path.suffix != SUFFIX and path.name not in kept]
    return [path for path in paths if not path.name.endswith(_UNFINISHED) or _age_s(path) > UNFINISHED_SECONDS]


def _age_s(path: Path) -> float:
    try:
        return time() - path.stat().st_mtime
    except FileNotFoundError:  # it is finished now
        return 0.0
