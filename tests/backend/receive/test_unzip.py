from __future__ import annotations

import gzip
import time
import zlib

import numpy as np
import pytest

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.unzip import MEMBERS, PIECE_BYTES, unzipped

CONTENT = bytes(range(256)) * 9
PACKED = gzip.compress(CONTENT)


def refusal(body: bytes, limit: int = 1 << 20) -> NotTaken:
    with pytest.raises(NotTaken) as error:
        unzipped(body, limit)
    return error.value


def test_members_are_put_together() -> None:
    assert unzipped(PACKED + gzip.compress(b"") + gzip.compress(b"more")) == CONTENT + b"more"


def test_many_members_cost_no_more_each_than_few() -> None:
    """What is after a member was copied once for each: two megabytes of them took seven seconds."""
    few, many = (gzip.compress(b"", mtime=0) * members for members in (3_000, 48_000))
    spent = []
    for body in (few, many):
        begun = time.process_time()
        assert unzipped(body) == b""
        spent.append(time.process_time() - begun)
    assert spent[1] < 60 * spent[0]
    assert unzipped(gzip.compress(b"") * (MEMBERS - 1) + gzip.compress(b"last")) == b"last"
    assert refusal(gzip.compress(b"") * (MEMBERS + 1)).message.startswith("the gzip data have more than 65536 members")


def test_what_is_longer_than_a_piece_is_unpacked_whole() -> None:
    noise = np.random.default_rng(1).bytes(3 * PIECE_BYTES)
    for size in (PIECE_BYTES - 40, len(noise)):
        assert unzipped(gzip.compress(noise[:size]) + PACKED) == noise[:size] + CONTENT


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
