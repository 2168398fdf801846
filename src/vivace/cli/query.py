"""`vivace query`: query load against a backend that exists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def query(
    config: Annotated[
        Path | None,
        typer.Argument(help="The load's YAML file; else $TEMPO_CONFIG_FILE, $CONFIG_FILE, /config/config.yaml."),
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="URL of the query API, before the file's.")] = None,
    duration: Annotated[
        str | None, typer.Option(envvar="DURATION", help="Such as 30s; else the file's; else until Ctrl-C.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed and file, same order of queries.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Of the Prometheus metrics; else the file's, 2112.")
    ] = None,
    metrics: Annotated[bool, typer.Option(help="Serve Prometheus metrics while it runs.")] = True,
    output: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("results"),
    generate_dashboard: Annotated[bool, typer.Option(help="Write the HTML dashboard.")] = True,
    check: Annotated[bool, typer.Option("--check", help="Check the file and end.")] = False,
) -> None:
    """Asks a tracing backend as its users do, checks what comes back, and reports.

    Exit codes: 0 PASS, 1 FAIL, 2 wrong usage, 3 INVALID, 4 target not reached, 130 interrupted.
    """
    import os

    from vivace.query.configuration.settings import Choices, configuration_path, read_configuration, settings_of
    from vivace.run.asking import AskingSettings, ask

    path = configuration_path(config, os.environ)
    configuration = read_configuration(path)
    choices = Choices(
        endpoint=endpoint,
        duration_s=None if duration is None else read_duration(duration),
        seed=seed,
        metrics_port=metrics_port,
        serve_metrics=metrics,
    )
    load = settings_of(configuration, choices, output / "queries.parquet")
    if check:
        typer.echo(f"{path}: valid")
        return
    asking = AskingSettings(
        name=configuration.name or file_name(path),
        load=load,
        objectives=configuration.objectives,
        output=output,
        dashboard=generate_dashboard,
    )
    raise typer.Exit(ask(asking))


def read_duration(text: str) -> float:
    """Seconds of --duration; ConfigurationError when it is none."""
    from vivace.errors import ConfigurationError
    from vivace.units import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ConfigurationError(f"--duration: {error}; give a number with its unit, such as 30s") from error
    if seconds == 0:
        raise ConfigurationError("--duration: is zero; give a number with its unit, such as 30s")
    return seconds


def file_name(path: Path) -> str:
    """The configuration's file as part of other files' names."""
    import re

    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "query"
