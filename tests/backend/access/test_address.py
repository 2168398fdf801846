"""Addresses as flags give them."""

from __future__ import annotations

import asyncio
from contextlib import closing

import grpc
import pytest

from vivace.backend.access.address import Address, address, hindrance, listen, where
from vivace.backend.access.rpc import bind
from vivace.errors import ConfigurationError, TargetError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("localhost:65535", Address("localhost", 65535)),
        ("[::1]:4317", Address("::1", 4317)),
    ],
)
def test_an_address_is_read_and_written(text: str, expected: Address) -> None:
    assert address(text, "--http") == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", ":80", "::1:80", "127.0.0.1:²", "127.0.0.1:-1", "http://a:80"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        listen(text, "--http")
    assert str(error.value).startswith(f'--http: "{text}" is not an address; give HOST:PORT')


def test_a_port_beyond_the_last_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has the port 65536; give one from 0 to 65535"):
        address("127.0.0.1:65536", "--http")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a:1", "A:1", True),
        ("a:1", "a:2", False),
        ("a:0", "a:0", False),
        ("a:1", "b:1", False),
        ("0.0.0.0:1", "a:1", True),
        ("[::]:1", "[::1]:1", True),
    ],
)
def test_addresses_meet_where_one_server_alone_can_listen(one: str, other: str, expected: bool) -> None:
    assert address(one, "").meets(address(other, "")) is expected
    assert address(other, "").meets(address(one, "")) is expected


@pytest.mark.skipif(hindrance(Address("::1", 0)) is not None, reason="this machine has no IPv6")
def test_an_address_of_ipv6_is_listened_on_and_shown_as_it_is_written() -> None:
    async def served() -> Address:
        return bind(grpc.aio.server(), "[::1]:0", "--grpc", None)

    with closing(listen("[::1]:0", "--http")) as listener:
        shown = address(where(listener), "--http")
    for found in (shown, asyncio.run(served())):
        assert found.host == "::1"
        assert found.port > 0


@pytest.mark.parametrize("host", ["127.0.0.1", "nobody.invalid", "192.0.2.1"])
def test_why_an_address_cannot_be_listened_on_is_said_in_one_line_for_both_kinds_of_servers(host: str) -> None:
    async def served(text: str) -> None:
        bind(grpc.aio.server(options=[("grpc.so_reuseport", 0)]), text, "--grpc", None)

    with closing(listen("127.0.0.1:0", "--http")) as taken:
        text = f"{host}:{address(where(taken), '').port}"
        with pytest.raises(TargetError) as over_http:
            listen(text, "--grpc")
        with pytest.raises(TargetError) as over_grpc:
            asyncio.run(served(text))
    assert str(over_grpc.value) == str(over_http.value)
    assert str(over_grpc.value).startswith(f"--grpc {text}: cannot listen there (")
    assert "GRPC" not in str(over_grpc.value)
    assert "\n" not in str(over_grpc.value)
