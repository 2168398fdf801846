"""`vivace generate`: templates of telemetry, made up as a file describes them or from real telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vivace.telemetry.configuration import GeneratorConfiguration
    from vivace.telemetry.stage import Description, Files, Watch

CAPTURE = "From real telemetry"


def generate(
    configuration: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="The YAML file that says what to generate.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="CONFIG", help="The same.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder to write to; else the file's, ./generated.")] = None,
    prefix: Annotated[
        str | None, typer.Option(help="What files' names start with; else the file's, telemetry.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=(1 << 64) - 1, help="Same seed and file, same bytes; else the file's, 1.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON beside every template.")] = False,
    capture: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="CAPTURE",
            help="OTLP (protobuf or JSON), Tempo's, Jaeger's or Zipkin's JSON; also gzip and zstd.",
            rich_help_panel=CAPTURE,
        ),
    ] = None,
    anonymise: Annotated[
        bool,
        typer.Option(
            "--anonymise", help="Replace names and values, keep structure and sizes.", rich_help_panel=CAPTURE
        ),
    ] = False,
) -> None:
    """Makes templates of traces, metrics and logs, which `vivace send` replays."""
    import os
    import signal

    from vivace.errors import ConfigurationError
    from vivace.telemetry.capture.settings import CaptureSettings
    from vivace.telemetry.configuration import read_configuration
    from vivace.telemetry.generation import generate as generate_files
    from vivace.telemetry.generation import import_capture

    path = configuration or config
    if configuration and config and configuration != config:
        raise ConfigurationError(f"--config {config}: {configuration} is given too; give one of them")
    if anonymise and capture is None:
        raise ConfigurationError("--anonymise: made-up telemetry has nothing to hide; give --from a capture")
    asked = read_configuration(path, os.environ) if path else None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing half done is left
    with watching() as watch:
        files = files_of(asked, output, prefix, json, watch)
        if capture is not None:
            described = import_capture(capture, CaptureSettings(anonymise=anonymise, seed=seed), files)
        elif asked is not None:
            described = generate_files(asked if seed is None else asked.model_copy(update={"seed": seed}), files)
        else:
            raise ConfigurationError("nothing to generate; give a configuration file, or --from a capture")
    tell(described, files)


def files_of(
    asked: GeneratorConfiguration | None, output: Path | None, prefix: str | None, json: bool, watch: Watch
) -> Files:
    """The files that the configuration names, as far as the command line does not."""
    from vivace.errors import ConfigurationError
    from vivace.telemetry.configuration import Output
    from vivace.telemetry.stage import Files

    said = asked.output if asked else Output()
    name = said.prefix if prefix is None else prefix
    if not name or Path(name).name != name:
        raise ConfigurationError(f"--prefix: '{name}' is no start of a file's name; the folder is --output")
    return Files(
        prefix=(output or Path(said.directory)) / name,
        with_json=json or said.with_json,
        compressed=said.compression == "zstd",
        limit=said.limit,
        watch=watch,
    )


@contextmanager
def watching() -> Iterator[Watch]:
    """Shows what is being done, where there is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), "{task.description}", BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total or None)


def tell(described: Description, files: Files) -> None:
    """A line for each template."""
    from vivace.telemetry.stage import ITEMS
    from vivace.units import format_count, format_size

    folder = files.prefix.parent
    for signal, (items, item) in ITEMS.items():
        made = described.get(signal)
        if isinstance(made, dict):
            typer.echo(
                f"{folder / made['template']}: {format_count(made[items])} {items.replace('_', ' ')}, "
                f"{format_size(made['bytes'])}, {made[f'bytes_per_{item}']:g} B each, gzip {made['gzip_ratio']:g}:1"
            )
    warnings = described.get("warnings")
    for warning in warnings if isinstance(warnings, list) else ():
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(
        f"{folder / files.prefix.name}-metadata.yaml: sender memory {format_size(described['sender_memory_bytes'])}"
    )
