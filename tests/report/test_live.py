"""Progress is a picture on a terminal and a line now and then elsewhere."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from vivace.measure.probe import ProbeProgress
from vivace.query.board import QueryProgress
from vivace.report.live import Live, LiveState, Phase, Rates, line, picture, rates_of
from vivace.send.progress import SendProgress

SEND = SendProgress(
    offered_spans=1_300_000,
    dropped_spans=10_000,
    sent_spans=1_290_000,
    acknowledged_spans=1_200_000,
    rejected_spans=1,
    failed_spans=2,
    unknown_spans=3,
    sent_bytes=400_000_000,
    requests=1300,
    in_flight=12,
    vus=20,
    response_p50_ms=18.0,
    response_p99_ms=41.5,
    clock_step_s=None,
    done=False,
)
QUERY = QueryProgress(
    offered=500,
    dropped=0,
    sent=500,
    succeeded=480,
    failed=7,
    in_flight=13,
    vus=20,
    response_p50_ms=62.0,
    response_p99_ms=320.0,
    clock_step_s=None,
    done=False,
)
PROBES = ProbeProgress(
    drawn=52, found=48, missing=1, wrong=0, unchecked=0, outstanding=3, visible_p50_ms=600.0, done=False
)
STATE = LiveState("small", Phase.RUNNING, elapsed_s=12.0, duration_s=30.0, send=SEND, query=QUERY, probes=PROBES)
EARLIER = replace(
    STATE,
    elapsed_s=10.0,
    send=replace(SEND, acknowledged_spans=0, sent_bytes=0),
    query=replace(QUERY, succeeded=400),
)


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def lines_of(states: list[tuple[float, LiveState]]) -> list[str]:
    """What is printed off a terminal when states come at these times."""
    file, clock = StringIO(), Clock()
    with Live(Console(file=file, width=40), clock) as live:
        for clock.now, state in states:
            live.update(state)
    return file.getvalue().splitlines()


def test_rates_are_what_came_between_two_states() -> None:
    assert rates_of(EARLIER, STATE) == Rates(spans=600_000, megabytes=200, queries=40)


@pytest.mark.parametrize("before", [STATE, LiveState("small", Phase.RUNNING)])
def test_there_are_no_rates_without_a_difference(before: LiveState) -> None:
    assert rates_of(before, STATE) == Rates()


def test_a_line_says_everything() -> None:
    assert line(STATE, rates_of(EARLIER, STATE)).replace("\u00a0", " ") == (
        "small: running, 0:12 of 0:30, 0:18 left; 600 k spans/s, 200 MB/s, p50 18.0 ms, p99 41.5 ms, 6 lost, "
        "10,000 dropped, 12 in flight; 40 queries/s, p50 62.0 ms, p99 320 ms, 7 failed, 0 dropped; "
        "48 traces read back, 1 missing"
    )


def test_a_line_says_nothing_of_what_is_not_done() -> None:
    assert line(LiveState("small", Phase.CALIBRATING), Rates()) == "small: calibrating"
    assert line(LiveState("small", Phase.VERIFYING, elapsed_s=3.7), Rates()) == "small: verifying for 0:03"


def test_off_a_terminal_there_is_a_whole_line_every_five_seconds() -> None:
    states = [(second / 2, replace(STATE, elapsed_s=second / 2)) for second in range(25)]
    lines = lines_of(states)
    assert [text.split(",")[1] for text in lines] == [" 0:00 of 0:30", " 0:05 of 0:30", " 0:10 of 0:30"]


def test_a_new_phase_or_profile_is_told_at_once() -> None:
    states = [
        (0.0, LiveState("a", Phase.PREPARING)),
        (0.1, LiveState("a", Phase.STARTING_TARGET)),
        (0.2, LiveState("b", Phase.STARTING_TARGET)),
        (0.3, LiveState("b", Phase.STARTING_TARGET)),
    ]
    assert lines_of(states) == ["a: preparing", "a: starting the target", "b: starting the target"]


def test_a_name_off_a_terminal_stays_as_it_is() -> None:
    assert lines_of([(0.0, LiveState("[bold]a\nb\x1b[1m", Phase.PREPARING))]) == ["[bold]a b [1m: preparing"]


def test_a_picture_has_a_bar_and_a_row_for_each_kind_of_load() -> None:
    console = Console(file=StringIO(), width=100)
    with console.capture() as capture:
        console.print(picture(STATE, rates_of(EARLIER, STATE)))
    text = capture.get().replace("\u00a0", " ")
    for part in (
        "small  running",
        "0:18 left",
        "━",
        "600 k spans/s 200 MB/s",
        "12 of 20 VUs busy",
        "6 lost",
        "7 failed",
        "1 missing",
        "3 waiting",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100


def test_on_a_terminal_the_picture_renews_itself_and_leaves_nothing() -> None:
    file = StringIO()
    with Live(Console(file=file, force_terminal=True, width=100)) as live:
        live.update(EARLIER)
        live.update(STATE)
    written = file.getvalue()
    assert "600" in written
    assert written.endswith("\x1b[2K") or "\x1b[2K" in written.split("600")[-1]
