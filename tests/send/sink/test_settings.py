"""A sink's settings check themselves whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.errors import ConfigurationError
from vivace.send.sink import Faults, ServerTls, SinkSettings
from vivace.send.sink.status import Status, status_of

HERE = Path(__file__)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"address": "here"}, "address: 'here' is not host:port"),
        ({"address": ":4317"}, "address: ':4317' is not host:port"),
        ({"other_address": "here:65536"}, "address: 'here:65536' is not host:port"),
        ({"address": "h:1", "other_address": "h:1"}, "address: 'h:1' is given twice"),
        ({"processes": 0}, "processes: 0 receive nothing"),
        ({"most_traces": 0}, "most_traces: 0 cannot be held"),
        ({"faults": Faults(refuse=1.5)}, "refuse: 1.5 is no share of requests"),
        ({"faults": Faults(delay=-0.1)}, "delay: -0.1 is no share of requests"),
        ({"faults": Faults(hang=float("nan"))}, "hang: nan is no share of requests"),
        ({"faults": Faults(drop=0.6, hang=0.6)}, "together 1.2 of all requests"),
        ({"faults": Faults(delay_s=float("inf"))}, "delay_s: inf is no time"),
        ({"faults": Faults(retry_after_s=-1.0)}, "retry_after_s: -1.0 is no time"),
        ({"faults": Faults(partial_items=0)}, "partial_items: 0 are none"),
        ({"faults": Faults(refuse_status="OK")}, "refuse_status: 'OK' is no status of an error"),
        ({"faults": Faults(refuse_status="302")}, "refuse_status: '302' is no status of an error"),
        ({"tls": ServerTls(cert_file=Path("/nowhere"), key_file=HERE)}, "tls: /nowhere is not a file"),
        ({"tls": ServerTls(cert_file=HERE, key_file=HERE)}, "cannot be used"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SinkSettings(**wrong)  # type: ignore[arg-type]
    [line] = str(caught.value).splitlines()
    assert words in line
    assert "; " in line


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SinkSettings(address="here", processes=-1, faults=Faults(refuse=2.0, refuse_status="?"))
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("UNAUTHENTICATED", Status(16, 401)),
        ("401", Status(16, 401)),
        ("503", Status(14, 503)),
        ("418", Status(2, 418)),
        ("OK", None),
        ("399", None),
        ("600", None),
        ("", None),
    ],
)
def test_a_status_has_a_counterpart_in_the_other_protocol(text: str, status: Status | None) -> None:
    assert status_of(text) == status
