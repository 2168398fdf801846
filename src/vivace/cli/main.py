"""The entry point: gathers the commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import sys
import traceback

import typer

from vivace import __version__
from vivace.cli import generate, profiles, query, report, run, send, serve, sink
from vivace.errors import ExitCode, VivaceError

app = typer.Typer(
    name="vivace",
    help="Finds out what a tracing backend can take, and can be believed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing boxes would take longer than everything else
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("generate")(generate.generate)
app.command("send")(send.send)
app.command("serve")(serve.serve)
app.command("sink")(sink.sink)
app.command("query")(query.query)
app.command("report")(report.report)
app.add_typer(profiles.app, name="profiles")


def show_version(wanted: bool) -> None:
    """Prints the version and ends, when asked."""
    if wanted:
        typer.echo(f"vivace {__version__}")
        raise typer.Exit


@app.callback()
def vivace(
    version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", callback=show_version, is_eager=True
    ),
) -> None:
    """Finds out what a tracing backend can take, and can be believed."""


def main() -> None:
    """Runs the command line; every expected error is one line on standard error."""
    try:
        app()
    except VivaceError as error:
        sys.stderr.write(f"vivace: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.FAIL)
    except Exception:
        traceback.print_exc()
        sys.stderr.write(
            "vivace: this is a defect of Vivace, not of what you asked for; nothing it shows can be trusted\n"
        )
        sys.exit(ExitCode.INVALID)


if __name__ == "__main__":
    main()
