from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.store.batch import Batch, concatenate
from vivace.backend.store.decode import arrange
from vivace.backend.store.flatten import flatten
from vivace.backend.store.log import LogReader, LogWriter, cut_torn_tail, log_file, log_numbers, payload_of
from vivace.backend.store.manifest import LogPosition

ALL = 1 << 40


def write(folder: Path, seeds: range, file_bytes: int = ALL) -> LogWriter:
    writer = LogWriter(folder, file_bytes)
    for seed in seeds:
        writer.append(payload_of(flatten([request(seed)])), seed, 15)
    return writer


def read(reader: LogReader) -> list[Batch]:
    return [record.batch for record in reader.records(ALL)]


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    write(tmp_path, range(3)).close()
    records = list(LogReader(tmp_path, LogPosition()).records(ALL))
    assert [record.received_ns for record in records] == [0, 1, 2]
    tables = arrange(concatenate([record.batch for record in records]))
    assert stored_spans(tables) == sent_spans([request(seed) for seed in range(3)])


def test_the_reader_follows_over_files(tmp_path: Path) -> None:
    reader = LogReader(tmp_path, LogPosition())
    assert read(reader) == []
    writer = write(tmp_path, range(3), file_bytes=1)
    assert len(read(reader)) == 3
    writer.append(payload_of(flatten([request(3)])), 3, 15)
    assert len(read(reader)) == 1
    assert read(reader) == []
    assert log_numbers(tmp_path) == [1, 2, 3, 4]
    assert reader.damages == []


def test_reading_begins_and_ends_where_it_is_told(tmp_path: Path) -> None:
    write(tmp_path, range(3)).close()
    reader = LogReader(tmp_path, LogPosition())
    first = next(reader.records(1))
    assert first.after == reader.position
    assert [record.received_ns for record in LogReader(tmp_path, first.after).records(ALL)] == [1, 2]
    assert len(list(LogReader(tmp_path, LogPosition()).records(first.bytes))) == 1


@pytest.mark.parametrize("torn", [1, 39, 40, 500])
def test_a_torn_tail_is_cut_and_reported(tmp_path: Path, torn: int) -> None:
    write(tmp_path, range(2)).close()
    path = log_file(tmp_path, 1)
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(log_file(tmp_path, 1).read_bytes()[:torn])
    reader = LogReader(tmp_path, LogPosition())
    assert len(read(reader)) == 2
    damage = cut_torn_tail(tmp_path)
    assert damage is not None
    assert (damage.offset, damage.bytes) == (whole, torn)
    assert str(path) in str(damage)
    assert path.stat().st_size == whole
    write(tmp_path, range(2, 3)).close()
    assert len(read(reader)) == 1
    assert cut_torn_tail(tmp_path) is None
    assert reader.damages == []


def test_damage_within_the_log_is_passed_over_and_noted(tmp_path: Path) -> None:
    write(tmp_path, range(3)).close()
    write(tmp_path, range(3, 4)).close()
    path = log_file(tmp_path, 1)
    contents = bytearray(path.read_bytes())
    second = next(LogReader(tmp_path, LogPosition()).records(1)).after.offset
    contents[second + 1000] ^= 1
    path.write_bytes(contents)
    reader = LogReader(tmp_path, LogPosition())
    assert [record.received_ns for record in reader.records(ALL)] == [0, 2, 3]
    (damage,) = reader.damages
    assert damage.offset == second


def test_a_torn_tail_before_another_file_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, range(2)).close()
    path = log_file(tmp_path, 1)
    os.truncate(path, path.stat().st_size - 3)
    write(tmp_path, range(2, 3)).close()
    reader = LogReader(tmp_path, LogPosition())
    assert [record.received_ns for record in reader.records(ALL)] == [0, 2]
    assert len(reader.damages) == 1


def test_a_full_disk_refuses_records_and_leaves_nothing_of_them(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
from tests.backend.store.test_log import fill
fill(Path(sys.argv[1]))
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["written", "refused", "refused", "written"], done.stderr
    reader = LogReader(tmp_path, LogPosition())
    assert [record.received_ns for record in reader.records(ALL)] == [0, 3]
    assert reader.damages == []


def fill(folder: Path) -> None:
    """Run in a process of its own, whose files can be no larger than one and a half records, and then larger."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    payload = payload_of(flatten([request(0)]))
    writer = LogWriter(folder)
    for attempt in range(4):
        limit = payload.size * 3 // 2 if attempt < 3 else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            writer.append(payload, attempt, 15)
            print("written")  # noqa: T201 - what the test reads
        except OSError:
            print("refused")  # noqa: T201
