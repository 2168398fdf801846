"""What a reader of the log makes of a word of the writer's that is damaged, or that is not true."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.backend.store.data import AT_ONCE, Data, until
from tests.backend.store.rebuild import sent_spans

from vivace.backend.store.log import LogReader, LogWriter
from vivace.backend.store.log_committed import CommittedWriter, committed_file, read_committed
from vivace.backend.store.manifest import LogPosition, read_manifest

BEYOND = [LogPosition(1 << 20, 7), LogPosition(3, 1 << 30), LogPosition(4, 0)]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """Three requests in files of their own."""
    one = Data(tmp_path)
    one.arrive(3)
    return one


def say(data: Data, position: LogPosition) -> None:
    writer = CommittedWriter(data.folder.log)
    writer.write(position)
    writer.close()


@pytest.mark.parametrize("said", [b"", b"\xff", b"\xff" * 7, b"\xff" * 9, b"\xff" * 4096])
def test_what_is_no_word_commits_nothing(data: Data, said: bytes) -> None:
    committed_file(data.folder.log).write_bytes(said)
    assert read_committed(data.folder.log) == LogPosition()
    assert list(LogReader(data.folder.log, LogPosition()).records(1 << 40)) == []


def test_a_start_says_it_again_whatever_stood_there(data: Data) -> None:
    data.writer.close()
    committed_file(data.folder.log).write_bytes(b"\xff" * 4096)
    LogWriter(data.folder.log).close()
    assert len(list(LogReader(data.folder.log, LogPosition()).records(1 << 40))) == 3


@pytest.mark.parametrize("beyond", BEYOND)
def test_a_reader_goes_no_further_than_there_are_files(data: Data, beyond: LogPosition) -> None:
    say(data, beyond)
    reader = LogReader(data.folder.log, LogPosition())
    assert len(list(reader.records(1 << 40))) == 3
    assert (reader.position.file, reader.damages) == (3, [])
    assert list(reader.records(1 << 40)) == []


@pytest.mark.parametrize("beyond", BEYOND)
def test_nothing_is_forgotten_for_a_word_that_is_not_true(data: Data, beyond: LogPosition) -> None:
    say(data, beyond)
    indexer = data.indexer(AT_ONCE)
    indexer.step()
    data.arrive(2)
    until(lambda: not indexer.step() and data.visible() == sent_spans(data.sent))
    indexer.close()
    assert read_manifest(data.folder.manifest).log.file == 5
    assert data.reports == []
