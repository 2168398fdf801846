"""`vivace send`: replays templates against a backend that exists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vivace.send.configuration import SenderConfiguration


def send(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="The YAML file that says what to send, where to and how.")
    ] = None,
    config_option: Annotated[Path | None, typer.Option("--config", metavar="CONFIG", help="The same.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="host:port, before the file's.")] = None,
    duration: Annotated[str | None, typer.Option(help="Such as 30s, before the file's; 0: no limit.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Stages, such as 'ramp 0 -> 1000/s for 1m, 1000/s for 5m'; before the file's.")
    ] = None,
    stream: Annotated[
        Path | None, typer.Option(metavar="GENERATOR", help="Generate what this file describes while sending.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Tell how it stands as JSON lines.")] = False,
    stats_every: Annotated[str, typer.Option(help="How often to tell how it stands.")] = "5s",
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Serve Prometheus metrics there; 0: a free port.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Draw the schedule, and send nothing.")] = False,
    preview_page: Annotated[Path | None, typer.Option(metavar="FILE", help="The same, as an HTML page.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Check the file and the templates, and end.")] = False,
    first_connect: Annotated[bool, typer.Option(help="See first that every endpoint takes requests.")] = True,
    output: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("results"),
    generate_dashboard: Annotated[bool, typer.Option(help="Write the HTML dashboard.")] = True,
) -> None:
    """Replays traces, metrics and logs over OTLP.

    Exit codes: 0 PASS, 1 FAIL, 2 wrong usage, 3 INVALID, 4 target not reached, 130 interrupted.
    """
    from vivace.errors import ConfigurationError
    from vivace.run.sending import Sending
    from vivace.run.sending import send as send_all
    from vivace.send.plan import plan

    path = config or config_option
    if path is None:
        raise ConfigurationError("nothing to send; give a configuration file")
    asked = changed(path, endpoint, duration, schedule, stream)
    if preview or preview_page is not None:
        show_preview(asked, preview, preview_page)
        return
    if check:
        plan(asked, output / "sends.parquet")
        typer.echo(f"{path}: valid")
        return
    sending = Sending(
        name=file_name(path),
        configuration=asked,
        output=output,
        stats_every_s=seconds_of("--stats-every", stats_every),
        as_json=json,
        metrics_port=metrics_port,
        dashboard=generate_dashboard,
        check=first_connect,
    )
    raise typer.Exit(send_all(sending, typer.echo))


def changed(
    path: Path, endpoint: str | None, duration: str | None, schedule: str | None, stream: Path | None
) -> SenderConfiguration:
    """The file's configuration, with what the command line says instead."""
    import os

    from vivace.profile.document import Place
    from vivace.send.configuration import document_of, validated

    document = document_of(path, os.environ)
    options = (
        ("--endpoint", ("otlp", "endpoint"), endpoint),
        ("--duration", ("sending", "duration"), duration),
        ("--schedule", ("sending", "schedule"), schedule),
    )
    if stream is not None:
        document = document.with_value(("input",), {"stream": str(stream)}, Place("--stream"))
    for name, at, value in options:
        if value is not None:
            document = document.with_value(at, value, Place(name))
    return validated(document)


def show_preview(asked: SenderConfiguration, on_terminal: bool, page: Path | None) -> None:
    """Draws the rate that the configuration asks for."""
    from vivace.errors import ConfigurationError, OutputError
    from vivace.report.preview import preview_page, preview_text

    rate = asked.sending.stages
    if rate is None:
        raise ConfigurationError("--preview: the file has no sending.schedule; add one, or give --schedule")
    seconds = min(rate.duration_s, asked.duration_s)
    if on_terminal:
        typer.echo(preview_text(rate, seconds))
    if page is not None:
        try:
            page.write_text(preview_page(rate, seconds, "Schedule"), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{page}: cannot be written: {error.strerror}; choose another file") from error
        typer.echo(page)


def seconds_of(name: str, text: str) -> float:
    """Seconds of an option that is a duration; ConfigurationError when it is none."""
    from vivace.errors import ConfigurationError
    from vivace.units import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}; give a number with its unit, such as 5s") from error
    if seconds == 0:
        raise ConfigurationError(f"{name}: is zero; give a number with its unit, such as 5s")
    return seconds


def file_name(path: Path) -> str:
    """The configuration's file as part of other files' names."""
    import re

    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "send"
