"""What lies in an object store: keys -> blocks. Other things that lie there as well are not looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from vivace.backend.store.storage.meta import FILES, NAME
from vivace.backend.store.unit import UnitInfo

_KEY: Final = re.compile(rf"(?P<tenant>[^/]+)/(?P<block>[0-9a-f]{{32}})/(?P<name>{'|'.join((*FILES, NAME))})")


@dataclass(slots=True)
class Listed:
    """The objects of a block."""

    tenant: str
    block: str
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether its last object was written."""
        return NAME in self.sizes

    @property
    def keys(self) -> list[str]:
        """Of all its objects; the one that makes it complete is the first."""
        names = sorted(self.sizes, key=lambda name: name != NAME)
        return [key(self.tenant, self.block, name) for name in names]

    def holds(self, unit: UnitInfo) -> bool:
        """Whether it is this block, whole."""
        files = sum(size for name, size in self.sizes.items() if name != NAME)
        return self.complete and self.tenant == unit.tenant and files == unit.bytes


def key(tenant: str, block: str, name: str = "") -> str:
    """The key of an object of a block; without a name what the keys of all of them begin with."""
    return f"{tenant}/{block}/{name}"


def blocks_of(sizes: Mapping[str, int]) -> Iterable[Listed]:
    """The blocks, complete or not, to which keys belong."""
    blocks: dict[tuple[str, str], Listed] = {}
    for match in filter(None, map(_KEY.fullmatch, sizes)):
        tenant, block, name = match.group("tenant", "block", "name")
        blocks.setdefault((tenant, block), Listed(tenant, block)).sizes[name] = sizes[match.group()]
    return blocks.values()
