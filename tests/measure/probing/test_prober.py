"""Polling a real server on loopback that answers at once, late, wrongly, in part, never, or not at all."""

from __future__ import annotations

import asyncio
import multiprocessing
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Final

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.measure.backend import EMPTY, NOT_FOUND, SEED, acknowledged, response, stored
from tests.measure.servers import Answer, serving

from vivace.ledger import PROBES, LedgerWriter, read_part
from vivace.measure.probing.board import Board, Count
from vivace.measure.probing.prober import Prober, Stop
from vivace.measure.probing.settings import ProbeSettings

Row = dict[str, object]

ENDS: Final = (Count.FOUND, Count.MISSING, Count.WRONG, Count.UNCHECKED)
JSON: Final = {"Content-Type": "application/json"}


@dataclass
class Probing:
    """A prober at work in a thread of the test's own process."""

    orders: Connection
    board: Board
    thread: Thread
    part: Path

    def until(self, count: Count, wanted: int = 1) -> None:
        give_up = monotonic() + 30
        while self.board.counts[count] < wanted:
            assert monotonic() < give_up, [self.board.counts[count] for count in Count]
            assert self.thread.is_alive()
            sleep(0.005)

    def rows(self) -> list[Row]:
        """The ledger, once every drawn trace has its outcome."""
        self.orders.send(Stop(60.0))
        self.thread.join(60)
        assert not self.thread.is_alive()
        return read_part(self.part, PROBES).to_dicts()


@contextmanager
def probing(template: Path, url: str, folder: Path, patience_s: float = 20.0) -> Iterator[Probing]:
    settings = ProbeSettings(
        query_url=url, template=template, seed=SEED, ledger=folder / "unused", per_second=50, patience_s=patience_s
    )
    board = Board(memoryview(array("q", bytes(8 * Board.SIZE))))
    theirs, ours = multiprocessing.Pipe(duplex=False)

    def work() -> None:
        with LedgerWriter(folder / "part", PROBES) as ledger:
            asyncio.run(Prober(settings, theirs, board, ledger).run())

    thread = Thread(target=work)
    thread.start()
    with theirs, ours:
        probes = Probing(ours, board, thread, folder / "part")
        probes.until(Count.READY)
        try:
            yield probes
        finally:
            if thread.is_alive():
                ours.send(Stop(0.0))
            thread.join()


def probe_one(template: Path, folder: Path, answer: Callable[[str], Answer], patience_s: float = 20.0) -> Row:
    """The row of a single probe, which has all of its patience."""
    with serving(answer) as url, probing(template, url, folder, patience_s) as probes:
        probes.orders.send(acknowledged(template, 1))
        probes.until(Count.DRAWN)
        [row] = probes.rows()
        assert sum(probes.board.counts[end] for end in ENDS) == 1
    assert row["request"] == 1
    return row


def test_a_trace_that_is_there_is_found_at_the_first_read(template: Path, tmp_path: Path) -> None:
    traces = stored(template)
    row = probe_one(template, tmp_path, lambda path: response(traces[path.rpartition("/")[2]]))
    assert (row["outcome"], row["polls"], row["message"]) == ("found", 1, None)
    assert isinstance(row["visible_ns"], int)
    assert isinstance(row["acknowledged_ns"], int)
    assert row["visible_ns"] > row["acknowledged_ns"]
    trace = traces[str(row["trace_id"])]
    assert row["spans"] == sum(len(s.spans) for r in trace.resource_spans for s in r.scope_spans)


@pytest.mark.parametrize("not_yet", [EMPTY, NOT_FOUND, Answer(status=503, body=b"starting")])
def test_a_trace_that_appears_late_is_found_then(template: Path, tmp_path: Path, not_yet: Answer) -> None:
    traces, asked = stored(template), Counter[str]()

    def late(path: str) -> Answer:
        asked[path] += 1
        there = path.startswith("/api/v2/") and asked[path] > 3
        return response(traces[path.rpartition("/")[2]]) if there else not_yet

    row = probe_one(template, tmp_path, late)
    assert (row["outcome"], row["polls"]) == ("found", 4)


def test_a_trace_that_appears_bit_by_bit_is_found_when_it_is_complete(template: Path, tmp_path: Path) -> None:
    traces, asked = stored(template), Counter[str]()

    def growing(path: str) -> Answer:
        asked[path] += 1
        trace = TracesData()
        trace.CopyFrom(traces[path.rpartition("/")[2]])
        if asked[path] < 3:
            del next(s for r in trace.resource_spans for s in r.scope_spans if s.spans).spans[:]
        return response(trace)

    row = probe_one(template, tmp_path, growing)
    assert (row["outcome"], row["polls"]) == ("found", 3)


@pytest.mark.parametrize("answer", [EMPTY, NOT_FOUND])
def test_a_trace_that_never_appears_is_missing(template: Path, tmp_path: Path, answer: Answer) -> None:
    row = probe_one(template, tmp_path, lambda _: answer, patience_s=0.2)
    assert row["outcome"] == "missing"
    assert row["visible_ns"] is None
    assert isinstance(row["polls"], int)
    assert row["polls"] > 1
    assert str(row["message"]).startswith(f"0 of {row['spans']} spans were there ")


def test_a_trace_without_some_of_its_spans_is_missing(template: Path, tmp_path: Path) -> None:
    traces = stored(template)
    for trace in traces.values():
        del next(s for r in trace.resource_spans for s in r.scope_spans if s.spans).spans[:1]
    row = probe_one(template, tmp_path, lambda path: response(traces[path.rpartition("/")[2]]), patience_s=0.1)
    assert row["outcome"] == "missing"
    assert isinstance(row["spans"], int)
    assert str(row["message"]).startswith(f"{row['spans'] - 1} of {row['spans']} spans were there ")


def test_a_trace_that_was_changed_is_wrong(template: Path, tmp_path: Path) -> None:
    traces = stored(template)
    for trace in traces.values():
        next(span for r in trace.resource_spans for s in r.scope_spans for span in s.spans).name = "something else"
    row = probe_one(template, tmp_path, lambda path: response(traces[path.rpartition("/")[2]]))
    assert row["outcome"] == "wrong"
    assert row["visible_ns"] is not None
    assert "and read as 'something else'" in str(row["message"])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(status=500, body=b"out of memory"), "HTTP status 500: out of memory"),
        (Answer(status=429), "HTTP status 429: "),
        (Answer(body=b"{}", headers=JSON), "answered with application/json, not with protobuf"),
        (Answer(body=b"\xff\xff"), "the answer is not protobuf"),
        (Answer(body=BytesValue(value=b"\xff\xff").SerializeToString()), "the answer is not OTLP"),
    ],
)
def test_without_a_usable_answer_a_trace_is_unchecked(
    template: Path, tmp_path: Path, answer: Answer, message: str
) -> None:
    row = probe_one(template, tmp_path, lambda _: answer, patience_s=0.1)
    assert (row["outcome"], row["message"]) == ("unchecked", message)


def test_a_target_that_is_not_there(template: Path, tmp_path: Path) -> None:
    with serving(lambda _: EMPTY) as url:
        pass
    with probing(template, url, tmp_path, patience_s=0.1) as probes:
        probes.orders.send(acknowledged(template, 0))
        probes.until(Count.UNCHECKED)
        [row] = probes.rows()
    assert "Cannot connect" in str(row["message"])


def test_a_target_with_only_the_first_version_of_the_api(template: Path, tmp_path: Path) -> None:
    traces, asked = stored(template), Counter[str]()

    def old(path: str) -> Answer:
        asked["v2" if path.startswith("/api/v2/") else "v1"] += 1
        if path.startswith("/api/v2/"):
            return Answer(status=404, body=b"404 page not found")
        return Answer(body=traces[path.rpartition("/")[2]].SerializeToString())

    with serving(old) as url, probing(template, url + "/", tmp_path) as probes:
        for wanted in (1, 2, 3):
            while probes.board.counts[Count.DRAWN] < wanted:
                probes.orders.send(acknowledged(template, wanted))
                sleep(0.005)
            probes.until(Count.FOUND, wanted)
    assert asked == {"v2": 1, "v1": 3}


def test_probes_that_are_cut_short_prove_nothing(template: Path, tmp_path: Path) -> None:
    with serving(lambda _: EMPTY) as url, probing(template, url, tmp_path, patience_s=60) as probes:
        probes.orders.send(acknowledged(template, 0))
        probes.until(Count.DRAWN)
        probes.orders.send(Stop(0.1))
        probes.until(Count.UNCHECKED)
        probes.thread.join()
        [row] = read_part(probes.part, PROBES).to_dicts()
    assert row["outcome"] == "unchecked"
    assert row["message"].endswith("when the run ended")


def test_of_what_is_fed_at_once_the_newest_is_drawn(template: Path, tmp_path: Path) -> None:
    traces = stored(template)
    with (
        serving(lambda path: response(traces[path.rpartition("/")[2]])) as url,
        probing(template, url, tmp_path) as probes,
    ):
        probes.orders.send(acknowledged(template, 0, 1, 2, 3))
        probes.until(Count.FOUND)
        assert [row["request"] for row in probes.rows()] == [3]


def test_a_parent_that_is_gone_ends_the_probes(template: Path, tmp_path: Path) -> None:
    with serving(lambda _: EMPTY) as url, probing(template, url, tmp_path, patience_s=60) as probes:
        probes.orders.send(acknowledged(template, 0))
        probes.until(Count.DRAWN)
        probes.orders.close()
        probes.thread.join(30)
        assert not probes.thread.is_alive()
        assert probes.board.counts[Count.UNCHECKED] == 1
