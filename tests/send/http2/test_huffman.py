"""The examples of RFC 7541, appendix C, and what is not a string."""

from __future__ import annotations

import pytest

from vivace.send.http2.huffman import decode


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
        ("a8eb10649cbf", "no-cache"),
        ("25a849e95ba97d7f", "custom-key"),
        ("25a849e95bb8e8b4bf", "custom-value"),
        ("6402", "302"),
        ("aec3771a4b", "private"),
        ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"),
        ("", ""),
    ],
)
def test_examples_of_the_standard(packed: str, text: str) -> None:
    assert decode(bytes.fromhex(packed)) == text.encode()


@pytest.mark.parametrize("packed", ["ffffffff", "640200", "f1e3c2e5f23a6ba0ab90f4ffff"])
def test_what_is_not_a_string_is_refused(packed: str) -> None:
    with pytest.raises(ValueError, match="a header"):
        decode(bytes.fromhex(packed))
