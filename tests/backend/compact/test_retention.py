"""Blocks go when they are older than their tenant keeps them."""

from __future__ import annotations

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
