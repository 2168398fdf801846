"""Large answers are read beside, with the same result as here, and whatever becomes of the process beside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from functools import partial

import psutil
import pytest

from vivace.query.answer import Failed, Failure, Found
from vivace.query.answers.search import read_search
from vivace.query.reading import LARGE, READERS, Readers


def large(traces: int = 2000) -> bytes:
    found = [
        {"traceID": f"{n + 1:x}", "spanSets": [{"matched": 1, "spans": [{"spanID": "a1"}]}]} for n in range(traces)
    ]
    return json.dumps({"traces": found}).encode()


READ = partial(read_search, window=None, limit=5000)


def read(*bodies: bytes, kill: bool = False) -> list[Found]:
    async def reading() -> list[Found]:
        readers = Readers()
        try:
            found = [await readers.read(READ, bodies[0])]
            if kill:
                for pid in readers_beside():
                    os.kill(pid, signal.SIGKILL)
            return found + await asyncio.gather(*(readers.read(READ, body) for body in bodies[1:]))
        finally:
            await readers.close()

    return asyncio.run(asyncio.wait_for(reading(), 60))


def readers_beside() -> list[int]:
    """Process IDs of readers that run."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it has just ended
            if "vivace.query.reading" in child.cmdline():
                found.append(child.pid)
    return found


def test_what_is_read_beside_is_what_is_read_here() -> None:
    body = large()
    assert len(body) > LARGE
    assert read(body, b"{}", body) == [READ(body), READ(b"{}"), READ(body)]


def test_what_cannot_be_right_is_refused_there_too() -> None:
    with pytest.raises(Failed, match="although the limit is 5000") as wrong:
        read(large(5001))
    assert wrong.value.failure is Failure.WRONG
    with pytest.raises(Failed) as unreadable:
        read(b"[" + b" " * LARGE)
    assert unreadable.value.failure is Failure.UNREADABLE


def test_a_reader_that_is_killed_is_missed_by_nobody() -> None:
    body = large()
    assert read(body, body, body, kill=True) == [READ(body)] * 3


def test_no_process_is_left() -> None:
    read(large())
    assert readers_beside() == []


def test_readers_can_be_started_ahead() -> None:
    async def reading() -> Found:
        readers = Readers()
        try:
            await readers.start()
            assert len(readers_beside()) == READERS
            return await readers.read(READ, large())
        finally:
            await readers.close()

    assert asyncio.run(asyncio.wait_for(reading(), 60)) == READ(large())
