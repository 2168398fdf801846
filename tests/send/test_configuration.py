"""Configuration files: what they mean, and every way in which they can be wrong, each with its line and a remedy."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from vivace.errors import InvalidDocument
from vivace.send.configuration import read_configuration
from vivace.send.cut import Batching, Per
from vivace.send.disorder import Disorder
from vivace.send.transport import Compression, OtlpProtocol
from vivace.telemetry.template import Signal

FILES = Path(__file__).parent.parent / "testdata" / "send"
BAD = sorted(path.name.removesuffix(".bad.yaml") for path in FILES.glob("*.bad.yaml"))


def test_a_whole_file() -> None:
    read = read_configuration(FILES / "full.good.yaml", {"HONEYCOMB_API_KEY": "secret"})
    transport = read.otlp.transport()
    assert read.input.templates[Signal.LOGS] == Path("generated/telemetry-logs.pb")
    assert transport.endpoints == ("api.honeycomb.io:443",)
    assert transport.headers == {"x-honeycomb-team": "secret"}
    assert transport.protocol is OtlpProtocol.GRPC
    assert transport.tls is not None
    assert read.sending.rate_limit.events_per_second == 10_000
    assert read.sending.batching(Signal.TRACES) == Batching(Per.TRACES, 100)
    assert read.sending.batching(Signal.METRICS) == Batching(Per.ITEMS, 1000)
    assert (read.sending.concurrency, read.duration_s, read.sending.multiplier) == (10, 300.0, 10)
    assert (read.timestamps.jitter_ms, read.timestamps.backdate_ms) == (100, 0)
    assert read.sending.retry.settings().most == 1
    assert read.sending.disorder.settings() == Disorder()


def test_what_goes_beyond() -> None:
    read = read_configuration(FILES / "everything.good.yaml", {})
    transport = read.otlp.transport()
    assert transport.endpoints == ("10.0.0.1:4318", "10.0.0.2:4318")
    assert (transport.tls, transport.compression) == (None, Compression.GZIP)
    assert (transport.protocol, transport.prefix, transport.timeout_s) == (OtlpProtocol.HTTP_JSON, "/otlp", 2.0)
    assert read.duration_s == inf
    assert read.sending.stages is not None
    assert read.sending.stages.duration_s == 360.0
    assert read.sending.batching(Signal.TRACES) == Batching(Per.BYTES, 1_000_000)
    assert read.sending.retry.settings().most == 5
    assert read.sending.disorder.settings().late_by_s == 600.0
    assert [objective.limit for objective in read.objectives if objective.name == "acknowledged_percent"] == [">= 90"]


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_with_its_line(name: str) -> None:
    path = FILES / f"{name}.bad.yaml"
    with pytest.raises(InvalidDocument) as caught:
        read_configuration(path, {})
    said = [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]
    assert said == (FILES / f"{name}.bad.txt").read_text(encoding="utf-8").splitlines()
