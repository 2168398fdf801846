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
    record: Annotated[
        Path | None, typer.Option(help="Write CONFIG from an access log, instead of asking.", rich_help_panel="Record")
    ] = None,
    factor: Annotated[
        float, typer.Option(help="How much quicker what was recorded is asked.", rich_help_panel="Record")
    ] = 1.0,
) -> None:
    """Asks a tracing backend as its users do, checks what comes back, and reports.

    Exit codes: 0 PASS, 1 FAIL, 2 wrong usage, 3 INVALID, 4 target not reached, 130 interrupted.
    """
    import os

    if record is not None:
        typer.echo(recorded(record, config, endpoint or "http://127.0.0.1:3200", factor))
        return
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


def recorded(log: Path, plan: Path | None, endpoint: str, factor: float) -> str:
    """Writes the plan of an access log, and says what became of it."""
    from vivace.errors import ConfigurationError
    from vivace.query.configuration.settings import read_configuration
    from vivace.query.record.plan_file import record

    if not 0 < factor < float("inf"):
        raise ConfigurationError(f"--factor: {factor} is not above zero; give 1 for the recorded pace")
    path = plan or Path(f"{log.stem}.yaml")
    made = record(log, path, endpoint, factor)
    read_configuration(path)
    passed = f"; {made.unusable} with TraceQL that is not valid passed over" if made.unusable else ""
    left_out = f"; the last {made.left_out} left out: the file is full" if made.left_out else ""
    return f"{path}: {made.queries} queries of {made.lines} lines, over {made.seconds:.1f} s{passed}{left_out}"


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
