"""`vivace run`: a whole test, from telemetry to verdict."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vivace.profile.model import Profile

TARGET = "Target"
LOAD = "Load"
OUTPUT = "Output"


class TestType(StrEnum):
    """Which halves of a test run."""

    INGESTION = "ingestion"
    QUERY = "query"
    COMBINED = "combined"


class TargetKind(StrEnum):
    """What is tested."""

    EMBEDDED = "embedded"
    ENDPOINT = "endpoint"


def run(
    names: Annotated[list[str] | None, typer.Argument(metavar="PROFILE", help="Names or files; all when none.")] = None,
    profiles: Annotated[str | None, typer.Option(help="The same, separated by commas.")] = None,
    profiles_dir: Annotated[Path | None, typer.Option(help="A folder with profiles besides the built-in ones.")] = None,
    test_type: Annotated[TestType, typer.Option(help="Send, ask, or both.")] = TestType.COMBINED,
    duration: Annotated[str | None, typer.Option(help="Such as 30s; else $DURATION, the profile's, 5m.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=(1 << 63) - 1,
            help="Same seed and profile, same requests; else the profile's; else 1, or new for an endpoint.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Changes a field of the profiles.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Sending processes; else as many as the load needs.", rich_help_panel=LOAD)
    ] = None,
    calibrate: Annotated[bool, typer.Option(help="Measure this machine's ceiling first.", rich_help_panel=LOAD)] = True,
    target: Annotated[
        TargetKind | None, typer.Option(help="Else embedded, unless endpoints are named.", rich_help_panel=TARGET)
    ] = None,
    otlp_endpoint: Annotated[
        str | None,
        typer.Option(envvar="TEMPO_ENDPOINT", help="host:port that takes OTLP over gRPC.", rich_help_panel=TARGET),
    ] = None,
    query_endpoint: Annotated[
        str | None,
        typer.Option(envvar="TEMPO_QUERY_ENDPOINT", help="URL of a Tempo query API.", rich_help_panel=TARGET),
    ] = None,
    metrics_endpoint: Annotated[
        str | None, typer.Option(help="URL of the target's Prometheus metrics.", rich_help_panel=TARGET)
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Sent as X-Scope-OrgID.", rich_help_panel=TARGET)] = None,
    output: Annotated[Path, typer.Option(help="Folder of all runs.", rich_help_panel=OUTPUT)] = Path("results"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen.", rich_help_panel=OUTPUT)] = False,
    skip_cleanup: Annotated[
        bool, typer.Option("--skip-cleanup", help="Keep the embedded target's data.", rich_help_panel=OUTPUT)
    ] = False,
    check_metrics: Annotated[
        bool, typer.Option("--check-metrics", help="Report which metrics were collected.", rich_help_panel=OUTPUT)
    ] = False,
    generate_dashboard: Annotated[bool, typer.Option(help="Write the HTML dashboard.", rich_help_panel=OUTPUT)] = True,
    collect_logs: Annotated[bool, typer.Option(help="Keep the logs of the target.", rich_help_panel=OUTPUT)] = True,
) -> None:
    """Tests a tracing backend and ends with a verdict.

    Exit codes: 0 PASS, 1 FAIL, 2 wrong usage, 3 INVALID, 4 target not reached, 130 interrupted.
    """
    from vivace.run.conduct import conduct
    from vivace.run.dry import describe
    from vivace.run.settings import Activity, RunSettings

    chosen = [*(names or []), *filter(None, map(str.strip, (profiles or "").split(",")))]
    run_settings = RunSettings(
        profiles=read_profiles(chosen, profiles_dir, settings or [], duration),
        output=output,
        activity=Activity(test_type),
        target_kind=target,
        otlp_endpoint=otlp_endpoint,
        query_endpoint=query_endpoint,
        metrics_endpoint=metrics_endpoint,
        tenant=tenant,
        seed=seed,
        workers=workers,
        calibrate=calibrate,
        keep_target=skip_cleanup,
        dashboard=generate_dashboard,
        collect_logs=collect_logs,
        check_metrics=check_metrics,
    )
    if dry_run:
        describe(run_settings)
        return
    raise typer.Exit(conduct(run_settings))


def read_profiles(
    names: list[str], directory: Path | None, settings: list[str], duration: str | None
) -> tuple[Profile, ...]:
    """The profiles with the environment's and the command line's changes in them."""
    import os

    from vivace.profile.library import load_profiles
    from vivace.profile.overrides import collect_overrides

    return load_profiles(names or None, directory, collect_overrides(settings, duration, os.environ))
