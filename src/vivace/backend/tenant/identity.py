"""Tenants by name: the header X-Scope-OrgID -> whose data is written or read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SINGLE_TENANT: Final = "single-tenant"
"""Whose everything is where there are no tenants."""
HEADER: Final = "X-Scope-OrgID"
LONGEST: Final = 150
MOST: Final = 64
"""So many tenants may be read at once."""

_SPECIAL: Final = frozenset("!-_.*'()")


@dataclass
class TenantError(Exception):
    """A request that does not say whose it is, or says it in a way that cannot be."""

    status: int
    """401 when no tenant is named, 400 when the name cannot be one."""
    message: str

    def __str__(self) -> str:
        return self.message


def written_by(header: str | None, multitenancy: bool) -> str:
    """The one tenant that a request writes for; TenantError when it names none or several."""
    tenants = read_by(header, multitenancy)
    if len(tenants) > 1:
        raise TenantError(400, "multiple org IDs present; write for one tenant at a time")
    return tenants[0]


def read_by(header: str | None, multitenancy: bool) -> tuple[str, ...]:
    """The tenants whose data a request reads, each once, in order: `a|b` names two. TenantError when it names none."""
    if not multitenancy:
        return (SINGLE_TENANT,)
    if not header:
        raise TenantError(401, "no org id")
    tenants = sorted({valid(name) for name in header.split("|")})
    if len(tenants) > MOST:
        raise TenantError(400, f"{len(tenants)} tenants are named; name {MOST} at most")
    return tuple(tenants)


def valid(name: str) -> str:
    """The name of a tenant; TenantError when it cannot be one."""
    if not name:
        raise TenantError(401, "no org id")
    if len(name) > LONGEST:
        raise TenantError(400, f"tenant ID is too long: max {LONGEST} characters")
    for character in name:
        if not (character.isascii() and character.isalnum()) and character not in _SPECIAL:
            raise TenantError(400, f"tenant ID '{name}' contains unsupported character '{character}'")
    if name in {".", ".."}:
        raise TenantError(400, "tenant ID is '.' or '..'")
    return name
