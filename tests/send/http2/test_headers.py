"""Header blocks: the examples of RFC 7541, appendix C, and our own writing read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.send.connection import ProtocolError
from vivace.send.http2.headers import HeaderReader, HeaderWriter, plain_block, read_integer, write_integer

Fields = list[tuple[bytes, bytes]]

FIELDS: st.SearchStrategy[Fields] = st.lists(
    st.one_of(
        st.sampled_from([(b":method", b"POST"), (b":status", b"200")]),
        st.tuples(st.binary(min_size=1, max_size=200), st.binary(max_size=300)),
    ),
    max_size=8,
)

REQUESTS = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
]
PACKED_REQUESTS = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
]
FIRST = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]
SECOND = [*FIRST, (b"cache-control", b"no-cache")]
THIRD = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":path", b"/index.html"),
    (b":authority", b"www.example.com"),
    (b"custom-key", b"custom-value"),
]


@pytest.mark.parametrize("blocks", [REQUESTS, PACKED_REQUESTS])
def test_examples_of_the_standard(blocks: list[str]) -> None:
    reader = HeaderReader()
    assert [list(reader.read(bytes.fromhex(block))) for block in blocks] == [FIRST, SECOND, THIRD]


def test_a_block_that_was_seen_means_something_else_when_the_table_has_changed() -> None:
    reader = HeaderReader()
    reader.read(bytes.fromhex("4001610131"))  # a: 1 enters the table
    assert reader.read(b"\xbe") == reader.read(b"\xbe") == ((b"a", b"1"),)
    reader.read(bytes.fromhex("4001620132"))  # b: 2 enters before it
    assert reader.read(b"\xbe") == ((b"b", b"2"),)
    assert reader.read(b"\xbf") == ((b"a", b"1"),)


def test_old_entries_leave_a_table_that_is_full() -> None:
    reader = HeaderReader()
    reader.read(b"\x3f\x21")  # 64 bytes: one entry
    reader.read(bytes.fromhex("4001610131"))
    reader.read(bytes.fromhex("4001620132"))
    assert reader.read(b"\xbe") == ((b"b", b"2"),)
    with pytest.raises(ProtocolError):
        reader.read(b"\xbf")


@pytest.mark.parametrize("block", ["80", "ff", "bf", "4003", "0001", "3fffff03", "ffffffffffff0f"])
def test_what_cannot_be_read_is_refused(block: str) -> None:
    with pytest.raises(ProtocolError, match="headers that cannot be read"):
        HeaderReader().read(bytes.fromhex(block))


@given(FIELDS, st.one_of(st.none(), st.integers(0, 4095)), st.integers(0, 3))
def test_what_is_written_again_and_again_is_read_each_time(fields: Fields, limit: int | None, after: int) -> None:
    unique = list(dict(fields).items())
    writer, reader = HeaderWriter(unique), HeaderReader()
    if limit is not None and after == 0:
        writer.limit(limit)
    for number in range(4):
        assert list(reader.read(writer.block())) == unique
        if limit is not None and number + 1 == after:
            writer.limit(limit)


def test_repeated_headers_take_a_byte_each() -> None:
    writer = HeaderWriter([(b":method", b"POST"), (b":path", b"/long/path"), (b"authorization", b"Bearer secret")])
    assert len(writer.block()) > 40
    assert len(writer.block()) == 3


@pytest.mark.parametrize("limit", [0, 100, 1000])
def test_a_peer_that_limits_its_table_is_told_so(limit: int) -> None:
    writer = HeaderWriter([(b"x-tenant", b"a" * 20)])
    writer.limit(limit)
    assert writer.block()[0] & 0xE0 == 0x20


def test_headers_that_no_table_holds_are_written_in_full_each_time() -> None:
    fields = [(b"a", b"1" * 3000), (b"b", b"2" * 3000)]
    writer, reader = HeaderWriter(fields), HeaderReader()
    for _ in range(3):
        assert list(reader.read(writer.block())) == fields


@given(FIELDS)
def test_a_plain_block_can_be_read_at_any_time(fields: Fields) -> None:
    reader = HeaderReader()
    reader.read(bytes.fromhex("4001610131"))
    assert list(reader.read(plain_block(fields))) == fields
    assert reader.read(b"\xbe") == ((b"a", b"1"),)


@given(st.integers(0, (1 << 31) - 1), st.integers(1, 8))
def test_integers_are_read_as_written(value: int, bits: int) -> None:
    written = write_integer(value, bits, 0)
    assert read_integer(written, 0, bits) == (value, len(written))
