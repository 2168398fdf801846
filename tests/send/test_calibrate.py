"""The ceiling is what a replay into a sink comes to."""

from __future__ import annotations

from pathlib import Path

from tests.send.templates import write_template

from vivace.send.calibrate import ceiling, vus_to_saturate
from vivace.send.transport import Compression, OtlpProtocol, Transport
from vivace.telemetry.template import Template


def test_the_ceiling_says_the_same_in_spans_bytes_and_requests(tmp_path: Path) -> None:
    template = Template.open(write_template(tmp_path))
    top = ceiling(tmp_path / "template-traces.pb", seconds=2.0)
    assert top.requests_per_s > 0
    spans, sizes = template.requests.items, template.requests.stop - template.requests.start
    assert spans.min() <= top.spans_per_s / top.requests_per_s <= spans.max()
    assert sizes.min() * 0.999 <= top.mb_per_s * 1e6 / top.requests_per_s <= sizes.max() * 1.001


def test_the_ceiling_is_that_of_the_protocol(tmp_path: Path) -> None:
    write_template(tmp_path)
    like = Transport(endpoints=("h:1",), protocol=OtlpProtocol.HTTP_JSON, compression=Compression.GZIP)
    assert ceiling(tmp_path / "template-traces.pb", seconds=0.5, like=like).spans_per_s > 0


def test_small_requests_need_more_in_flight_than_large_ones(tmp_path: Path) -> None:
    small = Template.open(write_template(tmp_path))
    (tmp_path / "large").mkdir()
    large = Template.open(write_template(tmp_path / "large", traces=50, spans=100))
    assert vus_to_saturate(small) == 64
    assert 4 <= vus_to_saturate(large) < 64
