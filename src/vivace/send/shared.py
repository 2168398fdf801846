"""Memory that a child process and its parent both see: 64-bit integers, each of them written by one side only."""

from __future__ import annotations

from ctypes import Array, c_int64
from multiprocessing.context import SpawnContext
from typing import TypeAlias

SharedWords: TypeAlias = "Array[c_int64]"
"""What a child process is handed when it is started."""
Words: TypeAlias = "memoryview[int]"
"""The same memory as integers, quick to read and write."""


def shared_words(context: SpawnContext, size: int) -> SharedWords:
    """So many zeros, gone when the last process that sees them is."""
    words: SharedWords = context.RawArray(c_int64, size)
    return words


def words_of(shared: SharedWords) -> Words:
    return memoryview(shared).cast("B").cast("q")
