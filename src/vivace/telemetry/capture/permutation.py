"""A keyed permutation of words of one shape: every word gets another, no two get the same, and none stays itself.

A word is a number in a mixed radix. A Feistel network over its halves brings all numbers into a secret order; a word is
replaced by the next in that order. Nothing need be remembered, however many words there are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import prod
from typing import Final

from vivace.telemetry.capture.shape import CONTINUED, alphabet

ROUNDS: Final = ((0, 1), (2, 3))
DIGEST_BYTES: Final = 48
"""More than half a word can fill: 16 cells of 20 bits."""
CELLS: Final = 32
"""Longer words are replaced in pieces of so many cells."""
LISTED: Final = 1024
"""The order of up to so many words is a list."""
LIST_TURN: Final = 4
REMEMBERED: Final = 1 << 17
"""So many words that were replaced are remembered, for speed alone."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of a word that is replaced from an alphabet."""

    start: int
    stop: int
    alphabet: Sequence[str]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some cells of a word, in two halves; how many values each half has."""

    left: tuple[Cell, ...]
    right: tuple[Cell, ...]
    left_size: int
    right_size: int


class Permutation:
    """Replaces words; a pure function of the key, the word and its classes."""

    def __init__(self, key: bytes) -> None:
        """`key` has 1 to 64 bytes."""
        self._keyed = blake2b(key=key, digest_size=DIGEST_BYTES)
        self.replaced = lru_cache(REMEMBERED)(self._replaced)
        """What stands for a word with these classes, one for each character (see shape)."""
        self._next = lru_cache(REMEMBERED)(self._list_next)

    def _replaced(self, word: str, classes: str) -> str:
        characters = list(word)
        for place, piece in enumerate(_pieces(classes)):
            salt = b"%d %b" % (place, classes.encode())
            left, right = self._successor(piece, salt, _number(word, piece.left), _number(word, piece.right))
            _spell(characters, piece.left, left)
            _spell(characters, piece.right, right)
        return "".join(characters)

    def _successor(self, piece: Piece, salt: bytes, left: int, right: int) -> tuple[int, int]:
        """The numbers of the piece that comes next in the secret order."""
        size = piece.left_size * piece.right_size
        if size <= LISTED:
            return divmod(self._next(size, salt)[left * piece.right_size + right], piece.right_size)
        for even, odd in ROUNDS:
            left = (left + self._draw(even, salt, right)) % piece.left_size
            right = (right + self._draw(odd, salt, left)) % piece.right_size
        left, right = divmod((left * piece.right_size + right + 1) % size, piece.right_size)
        for even, odd in reversed(ROUNDS):
            right = (right - self._draw(odd, salt, left)) % piece.right_size
            left = (left - self._draw(even, salt, right)) % piece.left_size
        return left, right

    def _draw(self, turn: int, salt: bytes, half: int) -> int:
        drawn = self._keyed.copy()
        drawn.update(b"%d %d %b" % (turn, half, salt))
        return int.from_bytes(drawn.digest(), "little")

    def _list_next(self, size: int, salt: bytes) -> list[int]:
        """By number: the next in a ring of all of them."""
        order = sorted(range(size), key=lambda number: self._draw(LIST_TURN, salt, number))
        after = [0] * size
        for place, number in enumerate(order):
            after[number] = order[(place + 1) % size]
        return after


@lru_cache(REMEMBERED)
def _pieces(classes: str) -> tuple[Piece, ...]:
    """What of words with these classes is replaced."""
    cells = []
    for start, kind in enumerate(classes):
        members = alphabet(kind)
        if members:
            stop = start + 1
            while classes.startswith(CONTINUED, stop):
                stop += 1
            cells.append(Cell(start, stop, members))
    return tuple(_piece(tuple(cells[first : first + CELLS])) for first in range(0, len(cells), CELLS))


def _piece(cells: tuple[Cell, ...]) -> Piece:
    left, right = cells[: len(cells) // 2], cells[len(cells) // 2 :]
    return Piece(left, right, _size(left), _size(right))


def _size(cells: tuple[Cell, ...]) -> int:
    return prod(len(cell.alphabet) for cell in cells)


def _number(word: str, cells: tuple[Cell, ...]) -> int:
    number = 0
    for cell in cells:
        number = number * len(cell.alphabet) + bisect_left(cell.alphabet, word[cell.start : cell.stop])
    return number


def _spell(characters: list[str], cells: tuple[Cell, ...], number: int) -> None:
    """Overwrites the cells with those that the number stands for."""
    for cell in reversed(cells):
        number, place = divmod(number, len(cell.alphabet))
        characters[cell.start : cell.stop] = cell.alphabet[place]
