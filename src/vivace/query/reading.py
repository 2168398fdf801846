"""Reads large answers in processes beside, so that meanwhile no other query is asked late.

A reader is this module run as a program: it takes pickled answers on standard input, and ends when that does.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Final, TypeAlias

from vivace.query.answer import Failed, Failure, Found

Read: TypeAlias = Callable[[bytes], Found]
"""Raises Failed."""

LARGE: Final = 50_000
"""Bytes of an answer from which on it is worth its way."""
READERS: Final = 2
SIZE: Final = struct.Struct("<Q")


class Reader:
    """One process, started with its first answer; gets one answer at a time."""

    def __init__(self) -> None:
        self.waiting = 0
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def read(self, read: Read, body: bytes) -> Found:
        """What `read` finds; Failed as it does. OSError when the process is gone."""
        self.waiting += 1
        try:
            async with self._turn:
                return _found(await self._exchange(pickle.dumps((read, body))))
        finally:
            self.waiting -= 1

    async def close(self) -> None:
        """Ends the process."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):  # it may have ended already
            self._process.kill()
        await self._process.wait()

    async def _exchange(self, message: bytes) -> bytes:
        if self._process is None:
            arguments = (sys.executable, "-m", "vivace.query.reading")
            self._process = await asyncio.create_subprocess_exec(
                *arguments, stdin=PIPE, stdout=PIPE, start_new_session=True
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - it was asked for
        assert stdout is not None  # noqa: S101
        stdin.write(SIZE.pack(len(message)))
        stdin.write(message)
        try:
            await stdin.drain()
            (size,) = SIZE.unpack(await stdout.readexactly(SIZE.size))
            return await stdout.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise OSError("the reading process has ended") from error


class Readers:
    """Of one event loop."""

    def __init__(self) -> None:
        self._readers = [Reader() for _ in range(READERS)]

    async def start(self) -> None:
        """Starts the processes now rather than with the first large answer; returns when they are at work."""
        await asyncio.gather(*(reader.read(nothing, b"") for reader in self._readers))

    async def read(self, read: Read, body: bytes) -> Found:
        """Reads a small answer here, a large one beside; Failed as `read` does."""
        if len(body) < LARGE:
            return read(body)
        try:
            return await min(self._readers, key=lambda reader: reader.waiting).read(read, body)
        except OSError:
            return read(body)

    async def close(self) -> None:
        """Ends what was started."""
        for reader in self._readers:
            await reader.close()


def nothing(_body: bytes) -> Found:
    """What is read of an answer that is none, to see whether a reader is at work."""
    return Found()


def _found(answer: bytes) -> Found:
    found = pickle.loads(answer)  # noqa: S301 - our own process wrote it
    if isinstance(found, Found):
        return found
    failure, message = found
    raise Failed(Failure(failure), message)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Reads answers until there are no more."""
    while head := requests.read(SIZE.size):
        (size,) = SIZE.unpack(head)
        message = requests.read(size)
        if len(message) < size:
            return  # whoever asked is gone
        read, body = pickle.loads(message)  # noqa: S301 - our own process wrote it
        try:
            found = pickle.dumps(read(body))
        except Failed as failed:
            found = pickle.dumps((failed.failure.value, str(failed)))
        answers.write(SIZE.pack(len(found)) + found)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
