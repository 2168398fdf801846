"""The command line as a whole: it starts light, and ends with the documented codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("numpy", "polars", "pyarrow", "grpc", "pydantic", "aiohttp", "lark", "starlette", "psutil")


def vivace(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vivace", *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, vivace.cli.main; print([m for m in sys.argv[1:] if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command() -> None:
    done = vivace("--help")
    assert done.returncode == 0
    for command in ("run", "query", "serve", "sink", "report", "profiles"):
        assert command in done.stdout


def test_version() -> None:
    done = vivace("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("vivace ")


def test_unknown_command_is_wrong_usage() -> None:
    assert vivace("replay").returncode == 2


def test_unknown_profile_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    done = vivace("run", "smal", "--output", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "smal" in done.stderr
    assert "small" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
