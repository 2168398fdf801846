"""`vivace sink` as a user runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest
from tests.send.exporting import answers_over
from tests.send.requests import trace_request

from vivace.send.answer import Outcome
from vivace.send.transport import OtlpProtocol


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vivace.cli.main", "sink", *arguments]


def test_it_says_where_it_listens_and_in_the_end_what_came() -> None:
    arguments = command("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--partial", "1", "--partial-items", "2")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as sink:
        assert sink.stdout is not None
        grpc, http = re.findall(r"127\.0\.0\.1:\d+", sink.stdout.readline())
        [first] = answers_over(trace_request(10), endpoints=(grpc,))
        [second] = answers_over(trace_request(10), endpoints=(http,), protocol=OtlpProtocol.HTTP_JSON)
        assert {first.outcome, second.outcome} == {Outcome.ACKNOWLEDGED}
        assert "10 traces" in sink.stdout.readline()
        sink.send_signal(signal.SIGINT)
        last = sink.stdout.read().splitlines()[-1]
    assert sink.returncode == 0
    assert re.fullmatch(r"received 2 requests, .* MB, 16 spans, 10 traces, 2 partial, 4 items rejected", last)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--refuse", "2"), "refuse: 2.0 is no share of requests; give 0 to 1"),
        (("--refuse-status", "OK"), "refuse_status: 'OK' is no status of an error; give one of"),
        (("--tls-cert", "cert.pem"), "--tls-cert, --tls-key: a certificate and its key belong together; give both"),
        (("--tls-cert", "cert.pem", "--tls-key", "key.pem"), "tls: cert.pem is not a file; give a PEM file"),
        (("--grpc", "here"), "address: 'here' is not host:port; give one"),
    ],
)
def test_bad_settings_are_named(arguments: tuple[str, ...], words: str) -> None:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
