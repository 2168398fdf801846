"""`vivace report`: a run's figures and pictures once more, from its ledgers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")] = Path("results/latest"),
) -> None:
    """Renders a run's report again from its ledgers."""
    from vivace.report.render import render_run

    for path in render_run(run):
        typer.echo(path)
