"""How a run stands while it lasts: a picture that renews itself on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from types import TracebackType
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vivace.measure.probe import ProbeProgress
from vivace.query.board import QueryProgress
from vivace.report.quantity import clock, compact, count, milliseconds, whole
from vivace.report.terminal import printable
from vivace.send.progress import SendProgress

LINE_EVERY_S: Final = 5.0
RATE_OVER_S: Final = 3.0


class Phase(StrEnum):
    """What a run is busy with."""

    PREPARING = "preparing"
    CALIBRATING = "calibrating"
    STARTING_TARGET = "starting the target"
    RUNNING = "running"
    VERIFYING = "verifying"
    REPORTING = "reporting"


@dataclass(frozen=True, slots=True)
class LiveState:
    """One moment of a run. `elapsed_s` and `duration_s` count within the phase; without a duration there is no bar."""

    profile: str
    phase: Phase
    elapsed_s: float = 0.0
    duration_s: float | None = None
    send: SendProgress | None = None
    query: QueryProgress | None = None
    probes: ProbeProgress | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second, over the last seconds; None when there is nothing to compare with."""

    spans: float | None = None
    megabytes: float | None = None
    queries: float | None = None


class Live:
    """Shows the states it is given; on anything but a terminal as a line every few seconds and at a new phase."""

    def __init__(self, console: Console | None = None, now: Callable[[], float] = monotonic) -> None:
        self._console = console or Console(stderr=True)
        self._now = now
        self._recent: deque[LiveState] = deque()
        self._printed: tuple[Phase, str, float] | None = None
        self._screen = Screen(console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Live:
        if self._console.is_terminal:
            self._screen.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._screen.stop()

    def update(self, state: LiveState) -> None:
        """Shows a state; states come in order."""
        self._remember(state)
        running = state.phase is Phase.RUNNING  # at other times there is no rate to speak of
        rates = rates_of(self._recent[0], state) if running else Rates()
        if self._console.is_terminal:
            self._screen.update(picture(state, rates))
        elif self._is_time(state):
            self._printed = state.phase, state.profile, self._now()
            text = printable(line(state, rates), self._console.encoding)
            self._console.print(Text(text), soft_wrap=True)

    def _remember(self, state: LiveState) -> None:
        if self._recent and (self._recent[-1].phase, self._recent[-1].profile) != (state.phase, state.profile):
            self._recent.clear()
        self._recent.append(state)
        while len(self._recent) > 2 and state.elapsed_s - self._recent[0].elapsed_s > RATE_OVER_S:
            self._recent.popleft()

    def _is_time(self, state: LiveState) -> bool:
        if self._printed is None or self._printed[:2] != (state.phase, state.profile):
            return True
        return self._now() - self._printed[2] >= LINE_EVERY_S


def rates_of(before: LiveState, state: LiveState) -> Rates:
    """What was acknowledged, sent and answered per second between two states."""
    seconds = state.elapsed_s - before.elapsed_s
    if seconds <= 0:
        return Rates()
    spans = megabytes = queries = None
    if before.send and state.send:
        spans = (state.send.acknowledged_spans - before.send.acknowledged_spans) / seconds
        megabytes = (state.send.sent_bytes - before.send.sent_bytes) / 1e6 / seconds
    if before.query and state.query:
        queries = (state.query.succeeded - before.query.succeeded) / seconds
    return Rates(spans, megabytes, queries)


def line(state: LiveState, rates: Rates) -> str:
    """A state as one plain line."""
    parts = [[f"{state.profile}: {state.phase}{_time(state)}"]]
    if (send := state.send) is not None:
        speed = _given((rates.spans, lambda rate: compact(rate, "spans/s")), (rates.megabytes, _megabytes))
        troubles = [f"{whole(lost(send))} lost", f"{whole(send.dropped_spans)} dropped"]
        parts.append([*speed, *_latency(send), *troubles, f"{send.in_flight} in flight"])
    if (query := state.query) is not None:
        speed = _given((rates.queries, lambda rate: count(rate, "queries/s")))
        parts.append([*speed, *_latency(query), f"{whole(query.failed)} failed", f"{whole(query.dropped)} dropped"])
    if (probes := state.probes) is not None:
        parts.append([f"{whole(probes.found)} traces read back", f"{whole(probes.missing)} missing"])
    return "; ".join(", ".join(part) for part in parts)


def picture(state: LiveState, rates: Rates) -> RenderableType:
    """A state as a few lines for a terminal."""
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    head.add_row(
        Text.assemble((printable(state.profile, "utf-8"), "bold"), f"  {state.phase}"),
        Text(_time(state).strip(", "), "dim"),
    )
    parts: list[RenderableType] = [head]
    if state.duration_s is not None:
        parts.append(_bar(state.elapsed_s, state.duration_s))
    rows = Table.grid(padding=(0, 2))
    for name, cells in _rows(state, rates):
        rows.add_row(Text(name, "bold"), *cells)
    return Group(*parts, rows)


def _bar(elapsed_s: float, duration_s: float) -> Table:
    """In a table, because a bar by itself does not end its line."""
    row = Table.grid(expand=True)
    row.add_row(ProgressBar(total=duration_s, completed=min(elapsed_s, duration_s)))
    return row


def lost(send: SendProgress) -> int:
    """Spans that were sent and not taken, or of which nobody knows."""
    return send.rejected_spans + send.failed_spans + send.unknown_spans


def _rows(state: LiveState, rates: Rates) -> list[tuple[str, list[Text]]]:
    rows = []
    if (send := state.send) is not None:
        speed = _given((rates.spans, lambda rate: compact(rate, "spans/s")), (rates.megabytes, _megabytes))
        busy = f"{send.in_flight} of {send.vus} VUs busy"
        rows.append(("Spans", _texts([" ".join(speed), *_latency(send), busy])))
        rows.append(("", [*_texts([f"{compact(send.acknowledged_spans)} acknowledged"]), *_errors(send)]))
    if (query := state.query) is not None:
        speed = _given((rates.queries, lambda rate: count(rate, "queries/s")))
        rows.append(("Queries", _texts([" ".join(speed), *_latency(query), f"{query.in_flight} in flight"])))
        troubles = [_trouble(query.failed, "failed"), _trouble(query.dropped, "dropped")]
        rows.append(("", [*_texts([f"{compact(query.succeeded)} answered"]), *troubles]))
    if (probes := state.probes) is not None:
        troubles = [_trouble(probes.missing, "missing"), _trouble(probes.wrong, "wrong")]
        rows.append(
            (
                "Probes",
                [*_texts([f"{whole(probes.found)} read back"]), *troubles, Text(f"{probes.outstanding} waiting")],
            )
        )
    return rows


def _errors(send: SendProgress) -> list[Text]:
    return [_trouble(lost(send), "lost"), _trouble(send.dropped_spans, "dropped")]


def _trouble(number: int, word: str) -> Text:
    return Text(f"{count(number)} {word}", "bold red" if number else "dim")


def _latency(progress: SendProgress | QueryProgress) -> list[str]:
    return _given(
        (progress.response_p50_ms, lambda ms: f"p50 {milliseconds(ms)}"),
        (progress.response_p99_ms, lambda ms: f"p99 {milliseconds(ms)}"),
    )


def _megabytes(rate: float) -> str:
    return count(rate, "MB/s")


def _given(*values: tuple[float | None, Callable[[float], str]]) -> list[str]:
    return [text(value) for value, text in values if value is not None]


def _texts(words: list[str]) -> list[Text]:
    return [Text(word) for word in words]


def _time(state: LiveState) -> str:
    if state.duration_s is None:
        return f" for {clock(int(state.elapsed_s))}" if state.elapsed_s >= 1 else ""
    left = max(state.duration_s - state.elapsed_s, 0)
    return f", {clock(int(state.elapsed_s))} of {clock(int(state.duration_s))}, {clock(round(left))} left"
