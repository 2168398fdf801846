"""The manifest: which units are visible, and up to where the log is in them. What it does not name is not there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from vivace.backend.store.folder import boot, complete
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.errors import TargetError

VERSION: Final = 1
_UNITS: Final = ', "units": [\n'
_END: Final = "\n]}\n"


@dataclass(frozen=True, slots=True, order=True)
class LogPosition:
    """A place in the log: everything before it is in units. Files are numbered from 1."""

    file: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """The visible units, in the order of their first spans' arrival, and the log position they reach to."""

    log: LogPosition = LogPosition()
    blocks: LogPosition = LogPosition()
    """Up to here the log is in blocks; segments hold what is between here and `log`, and nothing else."""
    units: tuple[UnitInfo, ...] = ()
    boot: str = field(default="", compare=False)
    """During which start of the machine it was written; filled in by writing."""

    def published(self, units: Sequence[UnitInfo], log: LogPosition) -> Manifest:
        """With new units that reach up to a log position."""
        return replace(self, log=log, units=(*self.units, *units))

    def without_segments(self) -> Manifest:
        """With blocks alone; what segments held is to be indexed again."""
        return Manifest(self.blocks, self.blocks, tuple(unit for unit in self.units if unit.kind is UnitKind.BLOCK))

    def replaced(self, old: Set[str], new: Sequence[UnitInfo]) -> Manifest:
        """With units in place of those they were made from, at the place of the first of them."""
        first = next((place for place, unit in enumerate(self.units) if unit.id in old), len(self.units))
        before, after = (
            tuple(unit for unit in units if unit.id not in old) for units in (self.units[:first], self.units[first:])
        )
        return replace(self, units=(*before, *new, *after))


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Replaces the manifest at once."""
    positions = {"wal": asdict(manifest.log), "wal_in_blocks": asdict(manifest.blocks)}
    head = {"version": VERSION, "boot": boot(), **positions}
    units = ",\n".join(map(_unit_text, manifest.units))
    with complete(path) as temporary:
        temporary.write_text(f"{json.dumps(head)[:-1]}{_UNITS}{units}{_END}", encoding="utf-8")


def read_manifest(path: Path) -> Manifest:
    """The manifest, empty when there is none. TargetError when it cannot be understood."""
    try:
        text = path.read_text(encoding="utf-8")
        head, units, rest = text.partition(_UNITS)
        document = json.loads(f"{head}}}" if units else text)
        _check_version(document, path)
        if not rest.endswith(_END):
            raise ValueError("it ends too early")
        lines = [line for line in rest.removesuffix(_END).split(",\n") if line]
        log, blocks = (LogPosition(**document[name]) for name in ("wal", "wal_in_blocks"))
        return Manifest(log, blocks, tuple(map(_unit_of, lines)), document.get("boot", ""))
    except FileNotFoundError:
        return Manifest()
    except (ValueError, KeyError, TypeError) as error:
        raise TargetError(
            f"{path}: not a manifest ({error}); restore it, or start with an empty data folder"
        ) from error


def _check_version(document: Mapping[str, object], path: Path) -> None:
    if document.get("version") != VERSION:
        raise TargetError(
            f"{path}: version: {document.get('version')!r} is not known to this version of vivace, which knows"
            f" {VERSION}; use the version that wrote it, or start with an empty data folder"
        )


@lru_cache(maxsize=1 << 16)
def _unit_text(unit: UnitInfo) -> str:
    """Kept, because the manifest is written and read several times a second and few units change."""
    return json.dumps(asdict(unit))


@lru_cache(maxsize=1 << 16)
def _unit_of(text: str) -> UnitInfo:
    """The unit of a line."""
    fields = json.loads(text)
    return UnitInfo(**{**fields, "kind": UnitKind(fields["kind"])})
