"""IDs as texts: hexadecimal as OTLP, Jaeger and Zipkin write them, or base64 as Tempo does."""

from __future__ import annotations

import binascii
from typing import Final

from vivace.telemetry.capture.refusal import Malformed, shown

TRACE_BYTES: Final = 16
SPAN_BYTES: Final = 8


def encoded(value: object, size: int) -> bytes:
    """The ID in `value`: hexadecimal or base64, which its length tells apart; an empty text is no ID.

    Raises Malformed when it is neither.
    """
    if value == "":
        return b""
    if isinstance(value, str):
        try:
            if len(value) == 2 * size:
                return bytes.fromhex(value)
            data = binascii.a2b_base64(value + "=" * (-len(value) % 4), strict_mode=True)
        except ValueError:
            data = b""
        if len(data) == size:
            return data
    raise Malformed(f"{shown(value)} is not an ID of {size} bytes; write it as {2 * size} hexadecimal digits")


def padded(value: object, size: int) -> bytes:
    """The ID in a text of at most twice `size` hexadecimal digits; zeros to its left may be left out."""
    if isinstance(value, str) and len(value) <= 2 * size:
        try:
            return bytes.fromhex(value.rjust(2 * size, "0"))
        except ValueError:
            pass
    raise Malformed(f"{shown(value)} is not an ID; write it as up to {2 * size} hexadecimal digits")


def is_id(data: bytes, size: int) -> bool:
    """Whether these bytes are an ID: of that size and not all zero."""
    return len(data) == size and any(data)
