"""HTTP/2 frames (RFC 9113, sections 4 and 6): their names, writing them, and cutting received bytes into them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from vivace.send.connection import ProtocolError

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = struct.Struct(">BHBBI")
SETTING: Final = struct.Struct(">HI")
WORD: Final = struct.Struct(">I")

DEFAULT_WINDOW: Final = 65_535
DEFAULT_FRAME: Final = 16_384
DEFAULT_TABLE: Final = 4_096
LARGEST_WINDOW: Final = (1 << 31) - 1
STREAM_MASK: Final = (1 << 31) - 1


class Kind(IntEnum):
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag:
    """Plain integers, since every frame is tested for them."""

    END_STREAM: Final = 0x1
    ACK: Final = 0x1
    END_HEADERS: Final = 0x4
    PADDED: Final = 0x8
    PRIORITY: Final = 0x20


class Setting(IntEnum):
    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5


class Code(IntEnum):
    """Why a stream or a connection was ended."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    REFUSED_STREAM = 7
    CANCEL = 8


class Frame(NamedTuple):
    """A frame; its payload is valid until more is received."""

    kind: int
    flags: int
    stream: int
    payload: memoryview


def frame(kind: Kind, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """A whole frame."""
    return head(len(payload), kind, flags, stream) + payload


def head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """What comes before a payload of so many bytes."""
    return HEAD.pack(length >> 16, length & 0xFFFF, kind, flags, stream)


def settings(values: Mapping[Setting, int]) -> bytes:
    return frame(Kind.SETTINGS, payload=b"".join(SETTING.pack(name, value) for name, value in values.items()))


def window_update(stream: int, increment: int) -> bytes:
    return frame(Kind.WINDOW_UPDATE, stream=stream, payload=WORD.pack(increment))


def read_settings(payload: memoryview) -> dict[int, int]:
    """By number; ProtocolError when it is not a whole number of settings."""
    if len(payload) % SETTING.size:
        raise ProtocolError("settings of a wrong size")
    return dict(SETTING.iter_unpack(payload))


def read_word(payload: memoryview) -> int:
    """The first 32 bits without the highest, which is reserved."""
    if len(payload) < WORD.size:
        raise ProtocolError("a frame is too short")
    word: int = WORD.unpack_from(payload)[0]
    return word & STREAM_MASK


def content(received: Frame) -> memoryview:
    """The payload of DATA or HEADERS without padding and priority."""
    payload = received.payload
    if received.flags & Flag.PADDED:
        if not payload or payload[0] >= len(payload):
            raise ProtocolError("a frame is all padding")
        payload = payload[1 : len(payload) - payload[0]]
    if received.kind == Kind.HEADERS and received.flags & Flag.PRIORITY:
        payload = payload[5:]
    return payload


class FrameReader:
    """Cuts what is received into frames of up to `largest` bytes; before the first come the bytes of `preface`."""

    def __init__(self, largest: int = DEFAULT_FRAME, room: int = 1 << 18, preface: bytes = b"") -> None:
        self._largest = largest
        self._preface = preface
        self._buffer = memoryview(bytearray(max(room, 2 * (largest + HEAD.size))))
        self._filled = 0

    def room(self) -> memoryview:
        """Where to receive into; never empty."""
        return self._buffer[self._filled :]

    def received(self, size: int) -> Iterator[Frame]:
        """The frames that are whole now that `size` bytes were put into room(); take all before receiving more."""
        end = self._filled + size
        at = len(self._preface)
        if end < at:
            self._filled = end
            return
        if self._buffer[:at] != self._preface:
            raise ProtocolError("its first words are not HTTP/2")
        self._preface = b""
        while end - at >= HEAD.size:
            high, low, kind, flags, stream = HEAD.unpack_from(self._buffer, at)
            length = high << 16 | low
            if length > self._largest:
                raise ProtocolError(f"a frame of {length} bytes, where at most {self._largest} are allowed")
            start = at + HEAD.size
            if end - start < length:
                break
            at = start + length
            yield Frame(kind, flags, stream & STREAM_MASK, self._buffer[start:at])
        self._filled = end - at
        if at:
            self._buffer[: self._filled] = self._buffer[at:end]
