from __future__ import annotations

import numpy as np
import pytest
from tests.telemetry.otlp import seen

from vivace.telemetry.generate import TraceSettings, stream_traces
from vivace.telemetry.sampling import threshold, trace_states


@pytest.mark.parametrize(
    ("share", "digits"),
    [(1, "0"), (0.5, "8"), (0.25, "c"), (0.1, "e666"), (0.01, "fd70a"), (1 / 256, "ff"), (1e-4, "fff9724")],
)
def test_thresholds_are_written_as_the_specification_has_them(share: float, digits: str) -> None:
    assert threshold(share) == (digits.rstrip("0") or "0")


def test_kept_traces_lie_above_the_threshold() -> None:
    states = trace_states(0.1, 500, np.random.default_rng(1)).to_pylist()
    for state in states:
        name, fields = state.split("=", 1)
        rejected, randomness = (field.split(":") for field in fields.split(";"))
        assert (name, rejected[0], randomness[0]) == ("ot", "th", "rv")
        assert len(randomness[1]) == 14
        assert int(randomness[1], 16) >= int(rejected[1].ljust(14, "0"), 16)
    assert len(set(states)) == 500


def test_all_spans_of_a_sampled_trace_say_so() -> None:
    settings = TraceSettings(profile="small", traces=30, seed=3, sampling=0.25)
    states: dict[bytes, set[str]] = {}
    for part in stream_traces(settings):
        for span in seen(part.payload.tobytes()):
            assert span.span.flags & 1
            states.setdefault(span.span.trace_id, set()).add(span.span.trace_state)
    assert len(states) == 30
    assert {len(found) for found in states.values()} == {1}
    assert all(state.startswith("ot=th:c;rv:") for found in states.values() for state in found)
