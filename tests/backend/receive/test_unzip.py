from __future__ import annotations

import gzip
import zlib

import pytest

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.unzip import unzipped

CONTENT = bytes(range(256)) * 9
PACKED = gzip.compress(CONTENT)


def refusal(body: bytes, limit: int = 1 << 20) -> NotTaken:
    with pytest.raises(NotTaken) as error:
        unzipped(body, limit)
    return error.value


def test_members_are_put_together() -> None:
    assert unzipped(PACKED + gzip.compress(b"") + gzip.compress(b"more")) == CONTENT + b"more"


def test_a_bomb_is_not_decompressed_further_than_the_limit() -> None:
    assert unzipped(gzip.compress(b"x" * 100), limit=100) == b"x" * 100
    assert refusal(gzip.compress(b"x" * 60) + gzip.compress(b"x" * 41), limit=100).cause is Cause.TOO_LARGE


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the request is not gzip data"),
        (b"x", "the request is not gzip data"),
        (b"hello", "the request is not gzip data"),
        (zlib.compress(CONTENT), "the request is not gzip data"),
        (PACKED[:2], "the gzip data end too early"),
        (PACKED[:-1], "the gzip data end too early"),
        (PACKED[: len(PACKED) // 2], "the gzip data end too early"),
        (PACKED + PACKED[:-9], "the gzip data end too early"),
        (PACKED[:-8] + bytes(8), "the gzip data are corrupt (incorrect checksum found)"),
        (PACKED[:2] + b"\7" + PACKED[3:], "the gzip data are corrupt (gzip/zlib wrapper specifies unsupported"),
        (PACKED + b"rubbish", "the gzip data are followed by something else"),
    ],
)
def test_what_is_wrong_is_said(body: bytes, words: str) -> None:
    refused = refusal(body)
    assert refused.cause is Cause.MALFORMED
    assert refused.message.startswith(words)
