"""What is asked about spans that were sent again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tests.backend.query.samples import NOW, SECOND, catalogue, found, request, span

from vivace.backend.query.metrics.query import query
from vivace.backend.query.metrics.timeline import timeline
from vivace.backend.store.decode import decode
from vivace.backend.store.merge import merge
from vivace.backend.store.unit import Unit
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

ONCE = request(*(span(1 + number % 2, number, at_s=number, attributes={"a": number}) for number in range(1, 9)))
LATE = request(span(1, 20, at_s=9, attributes={"a": 20}))
SENT = ONCE.SerializeToString()
PARTS = {
    "one unit": [[SENT, SENT]],
    "two units": [[SENT], [SENT]],
    "many units": [[SENT], [SENT, SENT], [LATE.SerializeToString()], [SENT]],
}


def counted(text: str, units: Sequence[Unit]) -> float:
    root = parse(text).root
    assert not isinstance(root, Pipeline)
    times = timeline(NOW, NOW + 60 * SECOND, 20 * SECOND)
    return sum(float(np.nansum(one.values)) for one in query(root, catalogue(*units).visible(), times).series)


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("parts", PARTS)
def test_searches_and_metrics_count_a_span_once(parts: str, merged: bool) -> None:
    tables = [decode(requests) for requests in PARTS[parts]]
    units = [Unit.in_memory(one) for one in ([merge(tables)] if merged else tables)]
    late = parts == "many units"
    assert {trace["traceID"]: trace["spanSets"][0]["matched"] for trace in found("{ }", *units, spans=99)} == {
        "1": 5 if late else 4,
        "2": 4,
    }
    assert [trace["traceID"] for trace in found("{ } | count() > 4", *units)] == (["1"] if late else [])
    assert counted("{ } | count_over_time()", units) == (9 if late else 8)
    assert counted("{ span.a < 20 } | sum_over_time(span.a)", units) == sum(range(1, 9))
