from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import pytest
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.store.batch import concatenate
from vivace.backend.store.decode import arrange
from vivace.backend.store.flatten import flatten
from vivace.backend.store.log import (
    Entry,
    LogReader,
    LogWriter,
    Sync,
    cut_torn_tail,
    log_file,
    log_numbers,
    payload_of,
)
from vivace.backend.store.log_committed import committed_file
from vivace.backend.store.manifest import LogPosition
from vivace.backend.tenant.identity import SINGLE_TENANT

ALL = 1 << 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty log."""
    log = tmp_path / "wal"
    log.mkdir()
    return log


def entry(seed: int, tenant: str = "single-tenant") -> Entry:
    return Entry(tenant, payload_of(flatten([request(seed)])), 15, seed)


def write(folder: Path, seeds: range, file_bytes: int = ALL) -> LogWriter:
    writer = LogWriter(folder, file_bytes)
    for seed in seeds:
        writer.append([entry(seed)])
    return writer


def read(reader: LogReader) -> list[int]:
    return [record.received_ns for record in reader.records(ALL)]


def test_records_are_read_as_they_were_written(folder: Path) -> None:
    write(folder, range(3)).close()
    records = list(LogReader(folder, LogPosition()).records(ALL))
    assert [record.received_ns for record in records] == [0, 1, 2]
    tables = arrange(concatenate([record.batch for record in records]))
    assert stored_spans(tables) == sent_spans([request(seed) for seed in range(3)])


def test_the_reader_follows_over_files(folder: Path) -> None:
    reader = LogReader(folder, LogPosition())
    assert read(reader) == []
    writer = write(folder, range(3), file_bytes=1)
    assert len(read(reader)) == 3
    writer.append([entry(3)])
    assert len(read(reader)) == 1
    assert read(reader) == []
    assert log_numbers(folder) == [1, 2, 3, 4]
    assert reader.damages == []


def test_reading_begins_and_ends_where_it_is_told(folder: Path) -> None:
    write(folder, range(3)).close()
    reader = LogReader(folder, LogPosition())
    first = next(reader.records(1))
    assert first.after == reader.position
    assert [record.received_ns for record in LogReader(folder, first.after).records(ALL)] == [1, 2]
    assert len(list(LogReader(folder, LogPosition()).records(first.bytes))) == 1


@pytest.mark.parametrize("torn", [1, 33, 49, 50, 500])
def test_a_torn_tail_is_cut_and_reported(folder: Path, torn: int) -> None:
    write(folder, range(2)).close()
    path = log_file(folder, 1)
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(log_file(folder, 1).read_bytes()[:torn])
    reader = LogReader(folder, LogPosition())
    assert len(read(reader)) == 2
    damage = cut_torn_tail(folder)
    assert damage is not None
    assert (damage.offset, damage.bytes) == (whole, torn)
    assert str(path) in str(damage)
    assert damage.kept.read_bytes() == path.read_bytes()[:torn]
    assert path.stat().st_size == whole
    write(folder, range(2, 3)).close()
    assert len(read(reader)) == 1
    assert cut_torn_tail(folder) is None
    assert reader.damages == []


def test_damage_within_the_log_is_passed_over_and_noted(folder: Path) -> None:
    write(folder, range(3)).close()
    write(folder, range(3, 4)).close()
    path = log_file(folder, 1)
    contents = bytearray(path.read_bytes())
    second = next(LogReader(folder, LogPosition()).records(1)).after.offset
    contents[second + 1000] ^= 1
    path.write_bytes(contents)
    reader = LogReader(folder, LogPosition())
    assert [record.received_ns for record in reader.records(ALL)] == [0, 2, 3]
    (damage,) = reader.damages
    assert damage.offset == second


def test_a_torn_tail_before_another_file_is_passed_over(folder: Path) -> None:
    write(folder, range(2)).close()
    path = log_file(folder, 1)
    os.truncate(path, path.stat().st_size - 3)
    write(folder, range(2, 3)).close()
    reader = LogReader(folder, LogPosition())
    assert [record.received_ns for record in reader.records(ALL)] == [0, 2]
    assert len(reader.damages) == 1


def test_a_full_disk_refuses_records_and_leaves_nothing_of_them(folder: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from tests.backend.store.test_log import fill
fill(Path(sys.argv[1]))
"""
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["written", "refused", "refused", "written"], done.stderr
    reader = LogReader(folder, LogPosition())
    assert [record.received_ns for record in reader.records(ALL)] == [0, 3]
    assert reader.damages == []


def fill(folder: Path) -> None:
    """Run in a process of its own, whose files can be large, then no larger than half a record, then large again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = payload_of(flatten([request(0)])).size
    writer = LogWriter(folder)
    for attempt in range(4):
        limit = size // 2 if attempt in {1, 2} else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            writer.append([entry(attempt)])
            print("written")  # noqa: T201 - what the test reads
        except OSError:
            print("refused")  # noqa: T201


def test_records_belong_to_tenants_and_are_synced_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    writer = LogWriter(folder)
    writer.append([entry(0, "a"), entry(1, "b" * 150), entry(2)])
    assert len(synced) == 1
    records = list(LogReader(folder, LogPosition()).records(ALL))
    assert [(record.tenant, record.received_ns) for record in records] == [("a", 0), ("b" * 150, 1), (SINGLE_TENANT, 2)]
    writer.append([entry(3, f"tenant-{number}") for number in range(1200)])
    assert len(read(LogReader(folder, records[-1].after))) == 1200
    writer.close()


def test_a_changed_tenant_is_damage(folder: Path) -> None:
    writer = LogWriter(folder)
    writer.append([entry(0, "one"), entry(1, "two")])
    path = log_file(folder, 1)
    path.write_bytes(path.read_bytes().replace(b"one", b"eno", 1))
    reader = LogReader(folder, LogPosition())
    assert [record.tenant for record in reader.records(ALL)] == ["two"]
    assert len(reader.damages) == 1
    writer.close()


def test_a_record_that_cannot_be_synced_is_never_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = write(folder, range(1))
    reader = LogReader(folder, LogPosition())
    assert read(reader) == [0]

    def fail(_descriptor: int) -> None:
        assert read(reader) == []  # though it is in the file
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        for _ in range(2):
            with pytest.raises(OSError, match="broken"):
                writer.append([entry(1)])
    writer.append([entry(2)])
    assert read(reader) == [2]
    assert read(LogReader(folder, LogPosition())) == [0, 2]
    assert reader.damages == []
    writer.close()


def test_nothing_is_written_before_a_failed_record_is_taken_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = write(folder, range(1))

    def fail(*_arguments: int) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        broken.setattr(os, "ftruncate", fail)
        for _ in range(2):
            with pytest.raises(OSError, match="broken"):
                writer.append([entry(1)])
    writer.append([entry(2)])
    assert read(LogReader(folder, LogPosition())) == [0, 2]
    writer.close()


def test_a_file_that_may_vanish_is_not_written_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "broken")

    writer = LogWriter(folder)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="broken"):
            writer.append([entry(0)])
    writer.append([entry(1)])
    assert read(LogReader(folder, LogPosition())) == [1]
    assert [path.stat().st_size > 0 for path in sorted(folder.glob("*.log"))] == [False, True]
    writer.close()


def test_a_start_commits_what_a_crash_left_behind(folder: Path) -> None:
    write(folder, range(3)).close()
    committed_file(folder).unlink()
    reader = LogReader(folder, LogPosition())
    assert read(reader) == []
    write(folder, range(0)).close()
    assert read(reader) == [0, 1, 2]


def test_a_start_after_a_lost_log_goes_on_behind_it(folder: Path) -> None:
    LogWriter(folder, first=8).close()
    reader = LogReader(folder, LogPosition(7, 1000))
    assert read(reader) == []
    writer = LogWriter(folder, first=8)
    writer.append([entry(0)])
    assert read(reader) == [0]
    assert read(LogReader(folder, LogPosition())) == [0]
    writer.close()


def test_syncing_at_intervals_comes_soon_after(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: SimpleQueue[int] = SimpleQueue()
    monkeypatch.setattr(os, "fdatasync", synced.put)
    writer = LogWriter(folder, file_bytes=1, sync_when=Sync.INTERVAL, interval_s=0.2)
    for seed in range(3):
        writer.append([entry(seed)])
    assert synced.empty()
    assert read(LogReader(folder, LogPosition())) == [0, 1, 2]
    assert [synced.get(timeout=20) for _ in range(3)]
    writer.append([entry(3)])
    writer.close()
    assert synced.qsize() == 1


def test_a_sync_that_failed_in_the_background_is_told_with_the_next_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Event()

    def fail(_descriptor: int) -> None:
        failed.set()
        raise OSError(errno.EIO, "broken")

    writer = LogWriter(folder, sync_when=Sync.INTERVAL, interval_s=0.01)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        writer.append([entry(0)])
        assert failed.wait(20)
        with pytest.raises(OSError, match="broken"):
            _append_until_told(writer)
    writer.append([entry(3)])
    writer.close()
    assert read(LogReader(folder, LogPosition()))[-1] == 3


def _append_until_told(writer: LogWriter) -> None:
    for _ in range(1000):
        writer.append([entry(1)])


def test_without_syncing_records_are_read_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    writer = LogWriter(folder, sync_when=Sync.OFF)
    writer.append([entry(0)])
    writer.close()
    assert read(LogReader(folder, LogPosition())) == [0]
    assert synced == []
