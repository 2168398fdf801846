"""meta.json, the last object of a block that is written and the first that goes: with it the block is there.

Names are Tempo's where they mean the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from vivace.backend.store.tables import FIXED
from vivace.backend.store.unit import UnitInfo, UnitKind

FORMAT: Final = "vivace1"
NAME: Final = "meta.json"
FILES: Final = tuple(f"{table}.parquet" for table in FIXED)
_NUMBERS: Final = ("spans", "totalObjects", "start_ns", "end_ns", "arrived_ns", "size", "compactionLevel")


class UnknownFormat(ValueError):
    """A meta.json that another version wrote, which this one does not know."""


@dataclass(frozen=True, slots=True)
class BlockMeta:
    """What an object store knows of a block."""

    unit: UnitInfo
    files: Mapping[str, int]
    """Names of its files -> their sizes."""
    replaces: frozenset[str] = frozenset()
    """The blocks that it was made of."""

    def encode(self) -> bytes:
        """As JSON."""
        unit = self.unit
        document = {
            "format": FORMAT,
            "blockID": unit.id,
            "tenantID": unit.tenant,
            "startTime": _moment(unit.start_ns),
            "endTime": _moment(unit.end_ns),
            "totalObjects": unit.traces,
            "size": unit.bytes,
            "compactionLevel": unit.level,
            "spans": unit.spans,
            "start_ns": unit.start_ns,
            "end_ns": unit.end_ns,
            "arrived_ns": unit.arrived_ns,
            "files": dict(self.files),
            "replaces": sorted(self.replaces),
        }
        return json.dumps(document, indent=2).encode()

    @classmethod
    def decode(cls, text: bytes) -> BlockMeta:
        """What `encode` made text of. ValueError when it is something else."""
        try:
            said = {"arrived_ns": 0, **json.loads(text)}  # it was not always noted
            if said["format"] != FORMAT:
                raise UnknownFormat(f"format {said['format']!r} is not known to this version, which knows {FORMAT}")
            for name in _NUMBERS:
                if type(said[name]) is not int:
                    raise ValueError(f"{name} is {said[name]!r}, not a whole number")
            unit = UnitInfo(
                id=said["blockID"],
                kind=UnitKind.BLOCK,
                spans=said["spans"],
                traces=said["totalObjects"],
                start_ns=said["start_ns"],
                end_ns=said["end_ns"],
                bytes=said["size"],
                tenant=said["tenantID"],
                level=said["compactionLevel"],
                arrived_ns=said["arrived_ns"],
            )
            if said["files"].keys() != set(FILES) or {type(size) for size in said["files"].values()} != {int}:
                raise ValueError("its files are not those of a block")
            return cls(unit, said["files"], frozenset(said["replaces"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a block's meta.json ({error})") from error


def _moment(nanoseconds: int) -> str:
    """RFC 3339."""
    seconds, rest = divmod(nanoseconds, 10**9)
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
