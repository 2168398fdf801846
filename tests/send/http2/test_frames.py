"""Frames survive whatever pieces they arrive in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.send.connection import ProtocolError
from vivace.send.http2.frames import (
    PREFACE,
    Flag,
    Frame,
    FrameReader,
    Kind,
    Setting,
    content,
    frame,
    read_settings,
    read_word,
    settings,
    window_update,
)

FRAMES = st.lists(
    st.tuples(st.sampled_from(Kind), st.integers(0, 255), st.integers(0, (1 << 31) - 1), st.binary(max_size=300)),
    max_size=20,
)


def cut(reader: FrameReader, data: bytes, sizes: list[int]) -> list[Frame]:
    """Feeds the bytes in pieces of these sizes, then the rest; copies the payloads."""
    frames: list[Frame] = []
    at = 0
    for size in [*sizes, len(data)]:
        room = reader.room()
        piece = data[at : at + min(size, len(room))]
        room[: len(piece)] = piece
        frames.extend(one._replace(payload=memoryview(bytes(one.payload))) for one in reader.received(len(piece)))
        at += len(piece)
    return frames


@given(FRAMES, st.lists(st.integers(0, 50), max_size=40), st.booleans())
def test_frames_are_cut_whatever_pieces_they_arrive_in(
    frames: list[tuple[Kind, int, int, bytes]], sizes: list[int], preface: bool
) -> None:
    start = PREFACE if preface else b""
    data = start + b"".join(frame(*one) for one in frames)
    seen = cut(FrameReader(preface=start), data, sizes)
    assert [(one.kind, one.flags, one.stream, bytes(one.payload)) for one in seen] == frames


def test_a_frame_that_is_too_large_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a frame of 101 bytes, where at most 100 are allowed"):
        cut(FrameReader(largest=100), frame(Kind.DATA, payload=bytes(101)), [])


def test_what_does_not_begin_with_the_preface_is_refused() -> None:
    with pytest.raises(ProtocolError, match="not HTTP/2"):
        cut(FrameReader(preface=PREFACE), b"GET / HTTP/1.1\r\nhost: here\r\n\r\n", [])


def test_settings_are_read_as_written() -> None:
    [one] = cut(FrameReader(), settings({Setting.MAX_FRAME_SIZE: 5, Setting.INITIAL_WINDOW_SIZE: 9}), [])
    assert read_settings(one.payload) == {5: 5, 4: 9}
    with pytest.raises(ProtocolError):
        read_settings(memoryview(b"12345"))


def test_words_lose_the_reserved_bit() -> None:
    [one] = cut(FrameReader(), window_update(3, 0xFFFF_FFFF), [])
    assert read_word(one.payload) == 0x7FFF_FFFF
    with pytest.raises(ProtocolError):
        read_word(memoryview(b"123"))


def test_padding_and_priority_are_no_content() -> None:
    padded = Frame(Kind.DATA, Flag.PADDED, 1, memoryview(b"\x02hello\0\0"))
    both = Frame(Kind.HEADERS, Flag.PADDED | Flag.PRIORITY, 1, memoryview(b"\x0112345block\0"))
    assert bytes(content(padded)) == b"hello"
    assert bytes(content(both)) == b"block"
    with pytest.raises(ProtocolError):
        content(Frame(Kind.DATA, Flag.PADDED, 1, memoryview(b"\x05hi")))
