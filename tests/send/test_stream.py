"""Telemetry that is generated while it is sent is the telemetry that would have been written to files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.send.runner import Runner, assert_sound
from tests.send.servers import acknowledge, grpc_server

from vivace.errors import ConfigurationError, TemplateError
from vivace.send.attempts import Attempts
from vivace.send.board import Board, Count, Stop
from vivace.send.cut import Batching, Per
from vivace.send.disorder import Disorder
from vivace.send.settings import Stream
from vivace.send.stream import StreamContents
from vivace.telemetry.configuration import GeneratorConfiguration
from vivace.telemetry.template import Signal

GENERATED = GeneratorConfiguration.model_validate(
    {"seed": 3, "traces": {"count": 6000, "spans": {"avg_per_trace": 20, "std_dev": 4}, "traces_per_request": 20}}
)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path / "generator.yaml", tmp_path)


def test_all_of_it_is_sent_once(runner: Runner) -> None:
    seen: set[bytes] = set()

    def keep(request: bytes, _context: object) -> bytes:
        seen.add(request)
        return b""

    stream = Stream(GENERATED, Signal.TRACES, endless=False)
    sent = runner.run(grpc_server(keep), None, stream=stream, duration_s=float("inf"))
    assert_sound(sent)
    assert sorted(sent.rows["request"]) == list(range(300))
    assert len(seen) == 300
    assert 100_000 < sent.rows["items"].sum() < 140_000
    assert set(sent.rows["outcome"]) == {"acknowledged"}


def test_without_end_there_is_always_more(runner: Runner) -> None:
    def stop(board: Board) -> None:
        while board.counts[Count.OFFERED] <= 10:
            time.sleep(0.01)
        board.counts[Count.STOP] = Stop.GRACEFUL

    small = GENERATED.model_copy(update={"traces": GENERATED.traces.model_copy(update={"count": 40})})  # type: ignore[union-attr]
    others = {
        "stream": Stream(small, Signal.TRACES, endless=True),
        "batching": Batching(Per.SERVICE),
        "disorder": Disorder(duplicate=0.1, reordered=0.1, incomplete=0.1),
        "attempts": Attempts(most=2),
    }
    with grpc_server(acknowledge) as endpoint:
        sent = runner.send(runner.settings(endpoint, None, duration_s=60.0, **others), stop)
    assert_sound(sent)
    assert sorted(sent.rows["request"]) == list(range(sent.rows.height))
    assert sent.rows.height > 10


def test_requests_can_be_made_again_and_are_all_different(runner: Runner) -> None:
    settings = runner.settings("127.0.0.1:1", None, stream=Stream(GENERATED, Signal.TRACES, endless=False))
    payloads = []
    for _ in range(2):
        contents = StreamContents(settings, settings.stream)  # type: ignore[arg-type]
        while not contents.ready(250):
            time.sleep(0.01)
        assert contents.there(250)
        payloads.append([contents.payload(number, 10**18) for number in range(250)])
    assert payloads[0] == payloads[1]
    assert len(set(payloads[0])) == 250


def test_what_goes_wrong_while_generating_is_told(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise TemplateError("out of luck")

    monkeypatch.setattr("vivace.telemetry.stream.stream_templates", fail)
    with pytest.raises(TemplateError, match="out of luck"):
        runner.run(grpc_server(acknowledge), None, stream=Stream(GENERATED, Signal.TRACES, endless=False))


def test_a_stream_has_no_schedule_and_one_worker(runner: Runner) -> None:
    with pytest.raises(ConfigurationError, match="has no schedule, and one worker"):
        runner.settings("127.0.0.1:1", None, stream=Stream(GENERATED, Signal.TRACES, endless=True), workers=2)
