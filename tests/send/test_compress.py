"""Compression that others can undo, and others' that we can."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.send.compress import compressor, decompress
from vivace.send.transport import Compression


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=3000), st.sampled_from([Compression.GZIP, Compression.ZSTD]))
def test_what_is_compressed_is_read_again(payload: bytes, compression: Compression) -> None:
    compress = compressor(compression)
    assert compress is not None
    assert decompress(compress(payload), compression) == payload


def test_no_compression_is_none() -> None:
    assert compressor(Compression.NONE) is None


@given(st.binary(max_size=3000))
def test_the_standard_library_reads_our_gzip_and_we_read_its(payload: bytes) -> None:
    compress = compressor(Compression.GZIP)
    assert compress is not None
    assert gzip.decompress(compress(payload)) == payload
    assert decompress(gzip.compress(payload) + gzip.compress(payload), "gzip") == payload * 2


def test_others_zstd_is_read_without_a_size_in_it() -> None:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(b"abc" * 1_000_000)
    assert decompress(sink.getvalue(), "zstd") == b"abc" * 1_000_000


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("data", [b"nonsense", b"", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"])
def test_what_is_not_compressed_is_refused(encoding: str, data: bytes) -> None:
    if encoding == "zstd" and not data:
        assert decompress(data, encoding) == b""
        return
    with pytest.raises(ValueError, match=r"not gzip data|end too early|not zstd data"):
        decompress(data, encoding)


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])
def test_what_is_cut_off_is_refused(compression: Compression) -> None:
    compress = compressor(compression)
    assert compress is not None
    whole = compress(bytes(range(256)) * 50)
    with pytest.raises(ValueError, match=r"end too early|not whole"):
        decompress(whole[: len(whole) // 2], compression)


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivace.send.compress.LARGEST", 1_000_000)
    for compression in (Compression.GZIP, Compression.ZSTD):
        compress = compressor(compression)
        assert compress is not None
        with pytest.raises(ValueError, match="more than 1000000 bytes"):
            decompress(compress(bytes(10_000_000)), compression)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="no such encoding: br"):
        decompress(b"", "br")
