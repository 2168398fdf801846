"""The Huffman code of HPACK (RFC 7541, appendix B), which peers may use for header names and values."""

from __future__ import annotations

from typing import Final

# Bits of the code of each byte, and of the end of the string. The code is canonical: codes of the same length follow
# each other in the order of the bytes, so that the lengths say it all.
LENGTHS: Final = tuple(
    int(bits)
    for bits in """
    13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28
    28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
    6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6
    5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
    13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7
    7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
    15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5
    6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
    20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23
    24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
    22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23
    21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
    26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25
    19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
    20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23
    26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
    30
    """.split()  # noqa: SIM905 - a table reads better than a list
)
END_OF_STRING: Final = 256


def _codes() -> dict[tuple[int, int], int]:
    """Byte by length and code."""
    codes: dict[tuple[int, int], int] = {}
    code = length = 0
    for symbol in sorted(range(len(LENGTHS)), key=lambda symbol: (LENGTHS[symbol], symbol)):
        code <<= LENGTHS[symbol] - length
        length = LENGTHS[symbol]
        codes[length, code] = symbol
        code += 1
    return codes


_SYMBOLS: Final = _codes()


def decode(data: bytes) -> bytes:
    """The string; ValueError when the bits are not one. Rare enough on a connection to go bit by bit."""
    decoded = bytearray()
    code = length = 0
    for bit in (byte >> shift & 1 for byte in data for shift in range(7, -1, -1)):
        code, length = code << 1 | bit, length + 1
        symbol = _SYMBOLS.get((length, code))
        if symbol is None:
            continue
        if symbol == END_OF_STRING:
            raise ValueError("a header holds the end of the string")
        decoded.append(symbol)
        code = length = 0
    if length > 7 or code != (1 << length) - 1:
        raise ValueError("a header is not padded with ones")
    return bytes(decoded)
