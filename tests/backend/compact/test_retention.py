"""Blocks go when they are older than their tenant keeps them."""

from __future__ import annotations

import pytest
from tests.backend.compact.blocks import EPOCH, HOUR, block

from vivace.backend.compact.retention import expired
from vivace.backend.store.unit import UnitKind

KEPT_S = {"a": 7200.0, "b": 0.0, "c": 10 * 7200.0}


def test_blocks_go_whose_latest_span_is_too_old() -> None:
    old = block(10, EPOCH - 3 * HOUR, tenant="a")
    blocks = [
        old,
        block(10, EPOCH - 2 * HOUR, tenant="a"),
        block(10, EPOCH + HOUR, tenant="a"),
        block(10, 0, tenant="b"),
        block(10, EPOCH - 3 * HOUR, tenant="c"),
        block(10, 0, tenant="a", kind=UnitKind.SEGMENT),
    ]
    assert expired(blocks, EPOCH, KEPT_S.__getitem__) == (old,)


@pytest.mark.parametrize("end_ns", [EPOCH, EPOCH - 5000 * HOUR, EPOCH + 5000 * HOUR, 0, -5, 2**63 - 1])
def test_it_counts_when_spans_arrived_and_not_what_they_say(end_ns: int) -> None:
    unit = block(10, end_ns, tenant="a", arrived_ns=EPOCH)
    assert expired([unit], EPOCH + 2 * HOUR, KEPT_S.__getitem__) == ()
    assert expired([unit], EPOCH + 2 * HOUR + 1, KEPT_S.__getitem__) == (unit,)
