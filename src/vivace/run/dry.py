"""What a run would do, in words, without starting anything."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from vivace.profile.model import Profile
from vivace.run.settings import RunSettings
from vivace.units import format_duration


def describe(settings: RunSettings, console: Console | None = None) -> None:
    """Prints, for each profile, its target, load, duration and objectives."""
    out = console or Console(highlight=False)
    for profile in settings.profiles:
        out.print(plan_of(profile, settings))
    total = sum(profile.load.duration for profile in settings.profiles)
    out.print(
        f"{len(settings.profiles)} profile{'s' if len(settings.profiles) > 1 else ''}, "
        f"about {format_duration(total)} of load; results under {settings.output}/; nothing was started.",
        soft_wrap=True,
    )


def plan_of(profile: Profile, settings: RunSettings) -> Table:
    """One profile's plan as a two-column table."""
    table = Table(title=f"{profile.name}  {profile.description}", title_justify="left", show_header=False, box=None)
    table.add_column(style="dim", min_width=10)
    table.add_column()
    for name, text in steps(profile, settings):
        table.add_row(name, text)
    return table


def steps(profile: Profile, settings: RunSettings) -> list[tuple[str, str]]:
    """What happens, in order: name and words."""
    load, activity = profile.load, settings.activity
    endpoints = settings.endpoints(profile)
    target = "the embedded backend, started for the run" if endpoints.embedded else "a backend that exists"
    rows = [("target", target)]
    if activity.sends:
        where = f" to {endpoints.otlp}" if endpoints.otlp else ""
        rows.append(("send", f"{load.ingestion.mb_per_second:g} MB/s of {load.ingestion.trace_profile} traces{where}"))
    if activity.asks:
        where = f" from {endpoints.query}" if endpoints.query else ""
        rows.append(("ask", f"{load.query.queries_per_second:g} queries/s{where}"))
    rows.append(("VUs", f"{load.vus.min} to {load.vus.max} in flight"))
    rows.append(("duration", format_duration(load.duration)))
    rows.append(("objectives", ", ".join(f"{each.name} {each.limit}" for each in profile.objectives)))
    return rows
