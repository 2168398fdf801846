"""Conducts a run from profiles to exit code: one profile after the other; whatever happens is kept and reported."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

from rich.console import Console

from vivace.errors import ExitCode, Interrupted
from vivace.judge.verdict import exit_code
from vivace.measure.figures import Figures, write_figures
from vivace.profile.model import Profile
from vivace.report.index import write_index
from vivace.report.live import Live, LiveState, Phase
from vivace.report.render import render_profile
from vivace.report.summary import print_summary
from vivace.run.account import judged_figures
from vivace.run.folder import RunFolder, create_run_folder
from vivace.run.metrics_check import print_availability
from vivace.run.profile_run import ProfileRun
from vivace.run.settings import RunSettings
from vivace.signals import set_from_handler


def conduct(settings: RunSettings, console: Console | None = None) -> ExitCode:
    """Runs every profile; the worst verdict decides the exit code. The first signal stops, the second ends at once."""
    out = console or Console(highlight=False)
    folder = create_run_folder(settings.output, [profile.name for profile in settings.profiles])
    runs: list[Figures] = []
    with stop_on_signals() as stop:
        for profile in settings.profiles:
            runs.append(run_profile(profile, settings, folder, stop, out))
            if stop.is_set():
                break
    index = write_index(folder.path)
    if index is not None:
        out.print(f"All profiles: {index}", soft_wrap=True)
    return worst([exit_code(figures) for figures in runs])


def run_profile(profile: Profile, settings: RunSettings, folder: RunFolder, stop: Event, console: Console) -> Figures:
    """Runs one profile, and writes and shows its report."""
    with Live(console) as live:
        account = ProfileRun(profile, settings, folder, live, stop).run()
        live.update(LiveState(profile=profile.name, phase=Phase.REPORTING))
        figures = judged_figures(account, folder)
        write_figures(figures, folder.figures(profile.name))
        render_profile(folder.path, profile.name, settings.dashboard)
    print_summary(figures, folder.path, console)
    if settings.check_metrics:
        print_availability(folder.metrics(profile.name), console)
    return figures


def worst(codes: list[ExitCode]) -> ExitCode:
    """The code that weighs most: interrupted, invalid, fail, pass."""
    order = (ExitCode.INTERRUPTED, ExitCode.INVALID, ExitCode.FAIL, ExitCode.PASS)
    return next(code for code in order if code in codes)


@contextmanager
def stop_on_signals() -> Iterator[Event]:
    """An event that the first SIGINT or SIGTERM sets; the second raises Interrupted where the program is."""
    stop = Event()
    heard: list[int] = []

    def asked(number: int, _frame: FrameType | None) -> None:
        if heard:
            raise Interrupted("stopped at once; the ledgers up to then are in the run's folder")
        heard.append(number)
        set_from_handler(stop)

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
