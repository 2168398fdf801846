"""The header that names tenants."""

from __future__ import annotations

import pytest

from vivace.backend.tenant.identity import SINGLE_TENANT, TenantError, read_by, written_by


def test_without_tenants_the_header_is_not_looked_at() -> None:
    assert read_by("a|b/..", multitenancy=False) == (SINGLE_TENANT,)
    assert written_by(None, multitenancy=False) == SINGLE_TENANT


def test_several_tenants_are_read_once_each_and_in_order() -> None:
    assert read_by("b|a|b", multitenancy=True) == ("a", "b")


def test_one_tenant_writes() -> None:
    assert written_by("team-1.(x)", multitenancy=True) == "team-1.(x)"
    with pytest.raises(TenantError, match="multiple org IDs"):
        written_by("a|b", multitenancy=True)


@pytest.mark.parametrize(
    ("header", "status", "message"),
    [
        (None, 401, "no org id"),
        ("", 401, "no org id"),
        ("a|", 401, "no org id"),
        ("a/b", 400, "unsupported character '/'"),
        ("ä", 400, "unsupported character 'ä'"),
        ("x" * 151, 400, "too long: max 150"),
        (".", 400, "'.' or '..'"),
        ("..", 400, "'.' or '..'"),
        ("|".join(f"t{number}" for number in range(65)), 400, "65 tenants"),
    ],
)
def test_what_names_no_tenant_is_refused(header: str | None, status: int, message: str) -> None:
    with pytest.raises(TenantError) as refused:
        read_by(header, multitenancy=True)
    assert refused.value.status == status
    assert message in str(refused.value)
