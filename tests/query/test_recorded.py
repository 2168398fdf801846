"""What was recorded falls due as it did, at the factor, and over again."""

from __future__ import annotations

import pickle

import pytest

from vivace.errors import ConfigurationError
from vivace.query.recorded import Recorded


def test_events_are_due_as_they_were_and_again() -> None:
    recorded = Recorded((0.0, 1.0, 1.0, 4.0))
    assert recorded.due(0, 6).tolist() == pytest.approx([0, 1, 1, 4, 16 / 3, 19 / 3])
    assert Recorded((0.0, 1.0, 4.0), factor=2.0).due(0, 3).tolist() == [0, 0.5, 2]
    assert pickle.loads(pickle.dumps(recorded)) == recorded  # noqa: S301 - what was just written


@pytest.mark.parametrize("duration_s", [0.0, 0.5, 1.0, 1.1, 4.0, 5.5, 53.3, 1000.0])
@pytest.mark.parametrize("factor", [1.0, 0.3, 7.0])
def test_the_count_is_that_of_the_times_before_the_end(duration_s: float, factor: float) -> None:
    recorded = Recorded((0.2, 1.0, 1.0, 4.0), factor)
    count = recorded.count(duration_s)
    due = recorded.due(0, count + 1)
    assert (due[:count] < duration_s).all()
    assert due[count] >= duration_s


@pytest.mark.parametrize("times", [(), (1.0, 0.5), (-1.0, 0.0), (float("nan"),)])
def test_times_that_are_none_are_refused(times: tuple[float, ...]) -> None:
    with pytest.raises(ConfigurationError, match="recorded times"):
        Recorded(times)


def test_a_factor_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="replay factor: 0"):
        Recorded((0.0,), 0)
