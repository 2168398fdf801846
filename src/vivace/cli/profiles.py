"""`vivace profiles`: what there is to run, and whether it is well formed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Lists, shows and checks profiles.", no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[
    Path | None, typer.Option("--profiles-dir", help="A folder with profiles besides the built-in ones.")
]


@app.command("list")
def list_profiles(profiles_dir: Folder = None) -> None:
    """Shows every profile in a line."""
    from rich.console import Console
    from rich.table import Table

    from vivace.profile.library import load_profiles

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("profile", "MB/s", "queries/s", "VUs", "traces", "description"):
        table.add_column(title, justify="right" if title in ("MB/s", "queries/s", "VUs") else "left")
    for profile in load_profiles(None, profiles_dir):
        load = profile.load
        table.add_row(
            profile.name,
            f"{load.ingestion.mb_per_second:g}",
            f"{load.query.queries_per_second:g}",
            f"{load.vus.min}-{load.vus.max}",
            load.ingestion.trace_profile,
            profile.description,
        )
    Console().print(table)


@app.command("show")
def show_profile(name: str, profiles_dir: Folder = None) -> None:
    """Prints a profile's YAML, as a start for one's own."""
    from vivace.profile.library import profile_path

    typer.echo(profile_path(name, profiles_dir).read_text(encoding="utf-8"), nl=False)


@app.command("validate")
def validate_profiles(
    names: Annotated[list[str] | None, typer.Argument(help="Names or files; all when none is given.")] = None,
    profiles_dir: Folder = None,
) -> None:
    """Checks profiles and names every problem with file, line, field and remedy."""
    from vivace.profile.library import load_profiles

    for profile in load_profiles(names or None, profiles_dir):
        typer.echo(f"{profile.name}: valid")
