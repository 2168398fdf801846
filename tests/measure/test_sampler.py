"""Real processes and a real metrics endpoint are sampled into the file."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from socket import create_server, socket
from threading import Thread
from time import monotonic, sleep

import polars as pl
import pytest
from tests.measure.servers import Answer, serving

from vivace.measure.metrics import CPU_SECONDS, MEMORY_BYTES, read_metrics
from vivace.measure.processes import ProcessWatch
from vivace.measure.sampler import Sampler
from vivace.measure.scrape import MOST_SAMPLES, scrape
from vivace.measure.usage import clock_step_ms, resource_figures

BUSY = """
import sys, time
print("x", end="", flush=True)
while time.process_time() < 0.3:
    pass
sys.stdin.read()
"""
EXPOSED = b"""# TYPE requests counter
requests_total{code="200",path="a\\"b"} 5
# TYPE latency histogram
latency_bucket{le="1"} 3
latency_bucket{le="+Inf"} 4
latency_sum 2.5
latency_count 4
# TYPE process_cpu_seconds counter
process_cpu_seconds_total 12
"""


def until(path: Path, enough: pl.Expr) -> pl.DataFrame:
    """The samples, once some are such."""
    give_up = monotonic() + 20
    while (frame := read_metrics(path)).filter(enough).is_empty():
        assert monotonic() < give_up
        sleep(0.02)
    return frame


def test_a_process_and_what_it_starts_count_for_its_role() -> None:
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        watch = ProcessWatch()
        watch.watch("target", "receiver", process.pid)
        give_up = monotonic() + 20
        while (value := {s.metric: s.value for s in watch.sample()}[CPU_SECONDS]) < 0.2:
            assert monotonic() < give_up
            sleep(0.02)
        assert {s.metric: s.value for s in watch.sample()}[MEMORY_BYTES] > 1_000_000
        process.communicate()
    after = {sample.metric: sample for sample in watch.sample()}
    assert after[CPU_SECONDS].value >= value
    assert after[MEMORY_BYTES].value == 0
    assert after[CPU_SECONDS].labels == 'process="receiver"'


def test_a_process_that_is_not_there_has_no_samples() -> None:
    watch = ProcessWatch()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    watch.watch("target", "gone", process.pid)
    assert watch.sample() == []


def test_a_process_counts_for_its_nearest_role(tmp_path: Path) -> None:
    with (
        Sampler(tmp_path / "m.csv", interval_s=0.05) as sampler,
        subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        sampler.watch("target", "receiver", process.pid)
        until(tmp_path / "m.csv", (pl.col("source") == "target") & (pl.col("value").is_between(0.2, 100)))
        process.communicate()
    frame = read_metrics(tmp_path / "m.csv")
    assert set(frame.filter(pl.col("metric") == CPU_SECONDS)["labels"]) == {'process="run"', 'process="receiver"'}
    figures = resource_figures(frame)
    assert figures is not None
    assert figures.target is not None
    assert figures.generator is not None
    assert figures.target.cpu_seconds is not None
    assert figures.target.memory_max_bytes is not None
    assert figures.target.memory_max_bytes > 1_000_000
    assert clock_step_ms(frame) == 0


def test_the_metrics_of_a_target_are_kept_without_buckets(tmp_path: Path) -> None:
    with serving(lambda _: Answer(body=EXPOSED)) as url, Sampler(tmp_path / "m.csv", f"{url}/metrics", 0.05):
        frame = until(tmp_path / "m.csv", pl.col("metric") == "up")
    moment = frame.filter((pl.col("source") == "target") & (pl.col("time_s") == frame["time_s"][0]))
    assert {(metric, labels): value for _, _, metric, labels, value in moment.rows()} == {
        ("requests_total", 'code="200",path="a\\"b"'): 5,
        ("latency_sum", ""): 2.5,
        ("latency_count", ""): 4,
        ("process_cpu_seconds_total", ""): 12,
        ("up", ""): 1,
    }


def test_a_watched_targets_own_count_of_cpu_is_left_out(tmp_path: Path) -> None:
    with serving(lambda _: Answer(body=EXPOSED)) as url:
        sampler = Sampler(tmp_path / "m.csv", f"{url}/metrics", 0.05)
        sampler.watch("target", "receiver", 2**22 - 1)
        sampler.start()
        until(tmp_path / "m.csv", pl.col("metric") == "up")
        sampler.stop()
    frame = read_metrics(tmp_path / "m.csv")
    assert frame.filter((pl.col("source") == "target") & (pl.col("metric") == CPU_SECONDS)).is_empty()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(status=503), "HTTP status 503"),
        (Answer(body=b"not { metrics"), ""),
        (Answer(body=b"\xff\xfe"), "utf-8"),
        (Answer(body=b"x" * (16 * 2**20 + 1)), "more than 16 MiB of metrics"),
    ],
)
def test_metrics_that_cannot_be_read(answer: Answer, reason: str) -> None:
    with serving(lambda _: answer) as url:
        scraped = scrape(f"{url}/metrics")
    assert scraped.samples == ()
    assert scraped.error
    assert reason in scraped.error


def test_a_failing_scrape_is_recorded_and_sampling_goes_on(tmp_path: Path) -> None:
    with serving(lambda _: Answer()) as url:
        pass
    with Sampler(tmp_path / "m.csv", f"{url}/metrics", 0.05):
        until(tmp_path / "m.csv", pl.col("metric") == "up")
    frame = read_metrics(tmp_path / "m.csv").filter(pl.col("metric") == "up")
    assert set(frame["value"]) == {0.0}
    assert "refused" in frame["labels"][0]
    assert frame.height >= 2


def test_a_target_that_does_not_answer_is_given_up() -> None:
    def late(path: str) -> Answer:
        sleep(1)
        return Answer()

    with serving(late) as url:
        scraped = scrape(f"{url}/metrics", timeout=0.1)
    assert scraped.error is not None
    assert "timed out" in scraped.error


def test_a_target_that_trickles_is_given_up() -> None:
    def trickle(listener: socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"#")
                sleep(0.02)

    with create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=trickle, args=(listener,))
        thread.start()
        scraped = scrape(f"http://127.0.0.1:{listener.getsockname()[1]}/metrics", timeout=0.2)
        thread.join()
    assert scraped.error == "TimeoutError: the metrics come too slowly"


def test_the_number_of_samples_is_bounded() -> None:
    body = "".join(f'many{{n="{n}"}} 1\n' for n in range(MOST_SAMPLES + 10)).encode()
    with serving(lambda _: Answer(body=body)) as url:
        assert len(scrape(f"{url}/metrics").samples) == MOST_SAMPLES
