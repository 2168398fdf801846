"""What the backend is told is looked at whole before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.backend.serve.check import check
from vivace.backend.serve.settings import ServeSettings
from vivace.backend.serve.supervisor import Backend
from vivace.errors import ConfigurationError


def test_settings_survive_a_command_line(tmp_path: Path) -> None:
    settings = ServeSettings(tmp_path, limits=tmp_path / "limits.yaml", multitenancy=True, wal_sync="off")
    assert ServeSettings.decode(settings.encode()) == settings


def test_every_problem_is_said_at_once_and_nothing_is_started(tmp_path: Path) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_text("defaults: {ingestion: {rate_limit_bytes: much}}")
    tokens = tmp_path / "tokens"
    tokens.write_text("# none yet\n")
    settings = ServeSettings(
        tmp_path / "data",
        limits=limits,
        tokens=tokens,
        tls_key=tmp_path / "key.pem",
        storage="ftp://somewhere",
        storage_sse="ROT13",
        compaction_window_s=1.0,
        http="127.0.0.1:65536",
        grpc="127.0.0.1",
        otlp_grpc="127.0.0.1:4317",
        otlp_http="0.0.0.0:4317",
    )
    with pytest.raises(ConfigurationError) as refused:
        Backend(settings).start()
    text = str(refused.value)
    for said in (
        "--storage: ",
        "--storage-sse: ",
        "--tls-key",
        "--tokens",
        f"{limits}:1: defaults.ingestion.rate_limit_bytes",
        "--compaction-window: 1s is out of range",
        "--http: ",
        "--grpc: ",
        "--otlp-grpc 127.0.0.1:4317, --otlp-http 0.0.0.0:4317: are the same address",
    ):
        assert said in text
    assert not (tmp_path / "data").exists()


def test_what_is_right_is_let_through(tmp_path: Path) -> None:
    check(ServeSettings(tmp_path))
