"""`vivace query` from file to report, against real servers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests.query.fake_tempo import FakeTempo, serving_in_a_thread

WORKERS = Path(__file__).parents[1] / "testdata" / "query" / "workers.good.yaml"
ENDPOINT = "https://tempo-simplest-gateway:8080"


def vivace(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vivace", "query", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=cwd,
        env=os.environ | environment,
    )


def pointed(folder: Path, url: str) -> Path:
    """The load of workers against another address."""
    path = folder / "load.yaml"
    path.write_text(WORKERS.read_text().replace(ENDPOINT, url))
    return path


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_load_is_asked_and_reported(tmp_path: Path) -> None:
    with serving_in_a_thread(FakeTempo().app()) as url:
        path = pointed(tmp_path, url)
        done = vivace("--duration", "3s", "--no-metrics", cwd=tmp_path, TEMPO_CONFIG_FILE=str(path), CONFIG_FILE="/no")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    folder = tmp_path / "results" / "latest"
    figures = json.loads((folder / "load.json").read_text())
    assert figures["verdict"] == "PASS"
    assert set(figures["query"]["by_query"]) == {"resource_service_loadtest"}
    assert set(figures["query"]["by_kind"]) == {"search", "fetch"}
    assert {path.name for path in folder.iterdir()} >= {
        "load-queries.parquet",
        "load-query-metrics.json",
        "load-query.log",
        "load-dashboard.html",
    }


def test_its_metrics_are_served_and_ctrl_c_ends_it_well(tmp_path: Path) -> None:
    port = free_port()
    with serving_in_a_thread(FakeTempo().app()) as url, running(tmp_path, pointed(tmp_path, url), port) as process:
        name = "query_load_test_tempo_perf_test_resource_service_loadtest_count"
        wait_for_metric(port, name, process)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "Queries" in output


@contextmanager
def running(folder: Path, path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-m", "vivace", "query", str(path), "--metrics-port", str(port)]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for_metric(port: int, name: str, process: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(OSError), closing(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5)) as told:
            found = re.search(rf"^{name} (\S+)$", told.read().decode(), re.M)
            if found and float(found[1]) > 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"{name} was never above zero")


def test_a_file_with_problems_is_refused_with_all_of_them(tmp_path: Path) -> None:
    text = WORKERS.read_text().replace('frontend" }', 'frontend"').replace('queryName: "resource', 'queryName: "source')
    (tmp_path / "bad.yaml").write_text(text)
    done = vivace("bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "queries[0].traceql: is not valid: parse error at line 1, col" in done.stderr
    assert 'executionPlan[0].queryName: is "source_service_loadtest"' in done.stderr
    assert done.stderr.count("\n") == 2
    assert not (tmp_path / "results").exists()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = vivace(cwd=tmp_path, CONFIG_FILE="missing.yaml", TEMPO_CONFIG_FILE="")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "missing.yaml" in done.stderr


def test_nobody_there_ends_with_the_target_s_code(tmp_path: Path) -> None:
    done = vivace(str(pointed(tmp_path, "http://127.0.0.1:1")), "--no-metrics", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "http://127.0.0.1:1: " in done.stderr
    assert "tempo.queryEndpoint" in done.stderr


def test_a_target_that_hangs_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = vivace(str(pointed(tmp_path, url)), "--no-metrics", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "no whole answer within 5 s" in done.stderr


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = vivace(str(pointed(tmp_path, "http://127.0.0.1:1")), "--metrics-port", port, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"--metrics-port {port}: Address already in use" in done.stderr


def test_a_log_is_recorded(tmp_path: Path) -> None:
    line = '- [21/Nov/2026:01:00:00 +0000] "GET /api/search?q=%7B%7D&start=1795219200&end=1795222790 HTTP/1.1"\n'
    (tmp_path / "access.log").write_text(line * 2)
    done = vivace("plan.yaml", "--record", "access.log", "--factor", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "plan.yaml: 2 queries of 2 lines, over 0.0 s\n"
    checked = vivace("plan.yaml", "--check", cwd=tmp_path)
    assert (checked.returncode, checked.stdout) == (0, "plan.yaml: valid\n")
