"""What is acknowledged survives any process being killed at any time, and is stored once."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.backend.serve.server import Load, Server, sent_span_ids, stored_span_ids

from vivace.errors import ExitCode

ROUNDS = ("receiver", "indexer", "querier", "supervisor", "all")


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    unknown: list[int] = []
    for number, role in enumerate(ROUNDS):
        with closing(Server(tmp_path)) as server:
            load = Load(server.addresses.otlp_grpc, first_seed=number << 20)
            time.sleep(1.0 + 0.13 * number)
            server.kill(role)
            code = server.wait()
            load.stop()
            output = server.output()
        assert load.acknowledged
        acknowledged += load.acknowledged
        unknown += load.unknown
        if role in {"receiver", "indexer", "querier"}:
            assert code == ExitCode.TARGET
            assert f"the {role} (process" in output
            assert "signal 9" in output
    with closing(Server(tmp_path)) as last:
        code = last.stop()
        assert "lost" not in last.output()
    assert code == 0
    stored = stored_span_ids(tmp_path)
    assert sent_span_ids(acknowledged) <= stored
    assert stored <= sent_span_ids(acknowledged) + sent_span_ids(unknown)
    assert max(stored.values()) == 1
