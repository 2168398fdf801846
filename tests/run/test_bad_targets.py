"""Runs against targets that refuse, hang, die or are not there."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

from tests.run.command import figures, run, start, wait_until_it_runs

from vivace.send.sink import Sink

SEND = ("--no-calibrate", "--test-type", "ingestion", "--duration", "3s")


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_target_that_is_not_there(tmp_path: Path) -> None:
    done = run(tmp_path, "small", *SEND, "--otlp-endpoint", f"127.0.0.1:{free_port()}")
    assert done.returncode == 4
    assert "--otlp-endpoint" in done.stderr
    assert "start the backend" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_query_endpoint_that_is_not_there(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "small",
        "--test-type",
        "query",
        "--query-endpoint",
        f"http://127.0.0.1:{free_port()}",
        "--duration",
        "1s",
    )
    assert done.returncode == 4
    assert "--query-endpoint" in done.stderr


def test_an_endpoint_that_takes_everything(tmp_path: Path) -> None:
    with Sink() as sink:
        done = run(tmp_path, "small", *SEND, "--otlp-endpoint", sink.address)
        counts = sink.counts()
    assert done.returncode in {0, 3}, done.stdout
    found = figures(tmp_path, "small")
    assert found["target"]["kind"] == "endpoint"
    assert found["ingest"]["requests"] == counts.requests
    assert "verification" not in found


def test_a_target_that_hangs(tmp_path: Path) -> None:
    """It takes connections and says nothing: requests end unknown, never acknowledged."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        held: list[socket.socket] = []

        def hold() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=hold, daemon=True).start()
        done = run(tmp_path, "small", *SEND, "--otlp-endpoint", f"127.0.0.1:{listener.getsockname()[1]}")
        for connection in held:
            connection.close()
    assert done.returncode in {1, 3}, done.stdout
    ingest = figures(tmp_path, "small")["ingest"]
    assert ingest["acknowledged_spans"] == 0
    assert ingest["unknown_spans"] + ingest["failed_spans"] + ingest["dropped_spans"] == ingest["offered_spans"] > 0


def test_an_embedded_target_that_is_killed_in_mid_run(tmp_path: Path) -> None:
    process = start(tmp_path, "small", "--no-calibrate", "--duration", "10m")
    wait_until_it_runs(process)
    time.sleep(4)
    os.kill(receiver_of(process.pid), signal.SIGKILL)
    said, complained = process.communicate(timeout=90)
    assert process.returncode in {1, 3}, said + complained
    found = figures(tmp_path, "small")
    assert any("the target failed: the receiver" in reason for reason in found["reasons"])
    assert found["ingest"]["acknowledged_spans"] > 0


def receiver_of(pid: int) -> int:
    import psutil

    children = psutil.Process(pid).children(recursive=True)
    return next(child.pid for child in children if "receiver" in child.cmdline())


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    done = run(blocked, "small", *SEND)
    assert done.returncode == 2
    assert "--output" in done.stderr
    assert "Traceback" not in done.stderr
