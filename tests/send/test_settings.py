"""Settings check themselves whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.errors import ConfigurationError
from vivace.pace import ConstantRate
from vivace.send.attempts import Attempts
from vivace.send.contents import Times
from vivace.send.disorder import Disorder
from vivace.send.settings import SendSettings


def settings(**others: object) -> SendSettings:
    fields: dict[str, object] = {
        "endpoint": "127.0.0.1:4317",
        "template": Path("t.pb"),
        "seed": 1,
        "schedule": ConstantRate(10),
        "duration_s": 1.0,
        "vus_min": 1,
        "vus_max": 10,
        "ledger": Path("sends.parquet"),
    }
    return SendSettings(**fields | others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"endpoint": "127.0.0.1"}, "endpoint: '127.0.0.1' is not host:port"),
        ({"endpoint": ":4317"}, "endpoint: ':4317' is not host:port"),
        ({"endpoint": "http://127.0.0.1:4317/"}, "endpoint: 'http://127.0.0.1:4317/' is not host:port"),
        ({"endpoint": "127.0.0.1:0"}, "endpoint: '127.0.0.1:0' is not host:port"),
        ({"endpoint": "127.0.0.1:65536"}, "endpoint: '127.0.0.1:65536' is not host:port"),
        ({"duration_s": 0.0}, "duration: 0.0 is not above zero"),
        ({"duration_s": float("nan")}, "duration: nan is not above zero"),
        ({"replays": 0}, "replays: 0 send nothing"),
        ({"items_per_second": 5.0}, "pace: a schedule, a rate limit and an adjustment exclude each other"),
        ({"schedule": None, "items_per_second": 0.0}, "rate limit: 0.0 is not above zero"),
        ({"attempts": Attempts(most=0)}, "retry: 0 attempts"),
        ({"attempts": Attempts(first_pause_s=3.0, longest_pause_s=1.0)}, "retry: pauses of 3.0 to 1.0 s are no range"),
        ({"attempts": Attempts(patience_s=-1.0)}, "retry: a patience of -1.0 s"),
        ({"times": Times(jitter_ms=-1)}, "timestamps: times cannot be below zero"),
        ({"disorder": Disorder(late=-0.5)}, "disorder: late: -0.5 is no share"),
        ({"disorder": Disorder(late=0.6, skewed=0.6)}, "disorder: the shares are more than 1 together"),
        ({"disorder": Disorder(missing=1.0)}, "disorder: missing: 1.0 is no share"),
        ({"disorder": Disorder(late_by_s=0.0)}, "disorder: late_by: 0.0 is no time"),
        ({"timeout_s": -1.0}, "timeout: -1.0 is not above zero"),
        ({"workers": 0}, "workers: 0 send nothing"),
        ({"vus_min": 0}, "vus: 0 to 10 is no range"),
        ({"vus_min": 11}, "vus: 11 to 10 is no range"),
        ({"workers": 11}, "vus: 10 are fewer than 11 workers"),
        ({"seed": -1}, "seed: -1 does not fit"),
        ({"seed": 1 << 64}, "does not fit"),
        ({"headers": {"x y": "1"}}, "headers: 'x y' is no header's name"),
        ({"headers": {"grpc-timeout": "1"}}, "headers: 'grpc-timeout' is no header's name"),
        ({"headers": {"x": "a\nb"}}, "headers: the value of 'x' has characters"),
        ({"headers": {"x": "a" * 9000}}, "headers: 9001 bytes are too many"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(**wrong)
    [line] = str(caught.value).splitlines()
    assert words in line
    assert "; " in line


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(endpoint="nowhere", duration_s=0.0, seed=-1)
    assert len(str(caught.value).splitlines()) == 3


@given(st.integers(1, 20), st.integers(0, 100), st.integers(0, 100))
def test_workers_share_the_vus_evenly(workers: int, fewest: int, more: int) -> None:
    fewest = max(fewest, workers)
    whole = settings(workers=workers, vus_min=fewest, vus_max=fewest + more)
    shares = [whole.share_of_vus(worker) for worker in range(workers)]
    assert sum(least for least, _ in shares) == fewest
    assert sum(most for _, most in shares) == fewest + more
    assert all(1 <= least <= most for least, most in shares)
    assert max(most for _, most in shares) - min(most for _, most in shares) <= 1


def test_each_worker_has_a_vu_even_when_fewer_are_wanted_at_first() -> None:
    assert [settings(workers=3, vus_min=1).share_of_vus(worker)[0] for worker in range(3)] == [1, 1, 1]
