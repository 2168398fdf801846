"""`vivace serve` says everything that is wrong at once, and then does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WRONG = {
    "--wal-sync": "sometimes",
    "--compaction-window": "long",
    "--storage-cache": "much",
    "--http": "127.0.0.1",
    "--grpc": "127.0.0.1:70000",
    "--otlp-grpc": "127.0.0.1:4317",
    "--otlp-http": "127.0.0.1:4317",
    "--tls-key": "missing.pem",
    "--tokens": "missing",
    "--limits": "missing.yaml",
    "--storage": "ftp://somewhere",
}


def serve(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vivace", "serve", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=folder)


def test_every_wrong_flag_is_named_at_once(tmp_path: Path) -> None:
    flags = [part for flag in WRONG.items() for part in flag]
    done = serve(tmp_path, *flags)
    assert done.returncode == 2
    assert done.stdout == ""
    begun = ("--otlp-grpc 127.0.0.1:4317, --otlp-http 127.0.0.1:4317: ", "missing.yaml: ")
    flagged = [flag for flag in WRONG if flag not in {"--otlp-grpc", "--otlp-http", "--limits"}]
    lines = done.stderr.removeprefix("vivace: ").splitlines()
    for words in (*flagged, *begun):
        assert any(line.startswith(words) for line in lines), (words, lines)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--data-dir", "", "names no folder; leave it out for vivace-data"),
        ("--storage-cache", "1GiB", "counts only with an object store; give --storage s3://BUCKET/PREFIX as well"),
    ],
)
def test_what_would_do_nothing_is_refused_in_one_line(tmp_path: Path, flag: str, value: str, words: str) -> None:
    done = serve(tmp_path, "--otlp-http", "127.0.0.1:0", flag, value)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"vivace: {flag}: {words}\n")
    assert list(tmp_path.iterdir()) == []
