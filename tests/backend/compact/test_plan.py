"""Blocks become few, and no span is written anew often."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.compact.blocks import EPOCH, HOUR, SECOND, Simulation, block

from vivace.backend.compact.plan import CLOSED_SECONDS, FAR_NS, RATIO, CompactionSettings, jobs, next_job
from vivace.backend.compact.retention import expired
from vivace.backend.store.unit import UnitInfo, UnitKind

OPEN = EPOCH + 60 * SECOND
"""A moment at which the window of the blocks is open."""
CLOSED = EPOCH + HOUR + int(CLOSED_SECONDS * SECOND)
HALF = CompactionSettings().block_spans // 2


def test_blocks_of_a_level_become_one_when_there_are_four() -> None:
    blocks = [block(100) for _ in range(4)]
    assert next_job(blocks[:3], OPEN) is None
    job = next_job(blocks, OPEN)
    assert job is not None
    assert (set(job.inputs), job.level, job.tenant) == (set(blocks), 1, "single-tenant")


def test_levels_tenants_windows_and_segments_are_left_apart_while_a_window_is_open() -> None:
    others = [block(100, level=1), block(100, EPOCH - HOUR), block(100, tenant="b"), block(100, kind=UnitKind.SEGMENT)]
    assert next_job([*(block(100) for _ in range(3)), *others], OPEN) is None


def test_a_closed_window_is_joined_across_levels() -> None:
    blocks = [block(100), block(100), block(300, level=1), block(1000, level=2)]
    assert next_job(blocks, CLOSED - 1) is None
    job = next_job(blocks, CLOSED)
    assert job is not None
    assert (set(job.inputs), job.level) == (set(blocks), 3)


def test_what_comes_late_waits_until_it_is_worth_the_work() -> None:
    large = block(1_000_000, level=3)
    assert next_job([large, block(1000)], CLOSED) is None
    assert next_job([large, block(1_000_000 // RATIO)], CLOSED) is not None


@pytest.mark.parametrize("now_ns", [OPEN, CLOSED])
def test_a_block_of_half_the_size_is_finished(now_ns: int) -> None:
    assert next_job([block(HALF) for _ in range(20)], now_ns) is None


def test_large_blocks_wait_for_others_or_for_the_end_of_the_window() -> None:
    blocks = [block(500_000) for _ in range(16)]
    assert next_job(blocks[:15], OPEN) is None
    job = next_job(blocks, OPEN)
    assert job is not None
    assert len(job.inputs) == 4
    assert len([*jobs(blocks[:15], CLOSED)]) == 4


def test_the_newest_window_and_the_lowest_level_come_first() -> None:
    old = [block(10, EPOCH - HOUR) for _ in range(4)]
    new = [block(10) for _ in range(4)]
    higher = [block(10, level=1) for _ in range(4)]
    assert [[unit.level for unit in job.inputs] for job in jobs([*old, *higher, *new], OPEN)] == [
        [0] * 4,
        [1] * 4,
        [0] * 4,
    ]
    job = next_job([*old, *higher, *new], OPEN)
    assert job is not None
    assert set(job.inputs) == set(new)


def test_what_arrives_late_joins_what_is_there_within_a_day() -> None:
    early = block(100, arrived_ns=EPOCH)
    assert next_job([early, block(100, arrived_ns=EPOCH + FAR_NS)], CLOSED) is not None
    assert next_job([early, block(100, arrived_ns=EPOCH + FAR_NS + 1)], CLOSED) is None


def test_spans_of_far_times_do_not_come_before_those_of_now() -> None:
    ahead = [block(10, EPOCH + number * HOUR, arrived_ns=EPOCH - HOUR) for number in (1000, 2000) for _ in range(4)]
    new = [block(10, arrived_ns=EPOCH) for _ in range(4)]
    assert [{unit.end_ns for unit in job.inputs} for job in jobs([*ahead, *new], OPEN)] == [
        {EPOCH},
        {EPOCH + 2000 * HOUR},
        {EPOCH + 1000 * HOUR},
    ]


@pytest.mark.parametrize("end_ns", [0, EPOCH - 5000 * HOUR, EPOCH + 5000 * HOUR, 2**63 - 1])
def test_spans_of_a_far_time_that_keep_arriving_become_few_and_go(end_ns: int) -> None:
    """A day of a block each half minute: what arrived more than two hours ago is not there but in the blocks of which
    something did not."""
    store, kept_s = Simulation(), 2 * 3600.0
    for number in range(1, 2881):
        now_ns = EPOCH + number * 30 * SECOND
        store.add(block(100, end_ns, arrived_ns=now_ns))
        store.settle(now_ns)
        gone = expired(store.blocks, now_ns, lambda _: kept_s)
        store.blocks = [unit for unit in store.blocks if unit not in gone]
        assert len(store.blocks) <= 20
    assert sum(unit.spans for unit in store.blocks) <= 100 * 120 * 3
    assert store.amplification < 4


BLOCKS = st.builds(
    block,
    st.integers(0, 3_000_000),
    st.sampled_from([EPOCH, EPOCH - HOUR, EPOCH + HOUR, 0, -5, 2**63 - 1]),
    st.integers(0, 3),
    st.sampled_from(["a", "b"]),
    arrived_ns=st.sampled_from([0, EPOCH, EPOCH + HOUR, EPOCH + 2 * FAR_NS]),
)


@given(st.lists(BLOCKS, max_size=60), st.sampled_from([OPEN, CLOSED, 0, 2**63 - 1]))
@settings(max_examples=150, deadline=None)
def test_no_block_is_in_two_jobs_and_none_becomes_too_large(blocks: list[UnitInfo], now_ns: int) -> None:
    bounds = CompactionSettings()
    planned = [*jobs(blocks, now_ns)]
    inputs = [unit.id for job in planned for unit in job.inputs]
    assert len(inputs) == len(set(inputs))
    for job in planned:
        assert 2 <= len(job.inputs) <= bounds.most_inputs
        assert len({(unit.tenant, unit.end_ns // HOUR) for unit in job.inputs}) == 1
        assert sum(unit.spans for unit in job.inputs) <= bounds.block_spans
        assert sum(unit.bytes for unit in job.inputs) <= bounds.block_bytes


@given(st.lists(BLOCKS, max_size=60), st.sampled_from([OPEN, 2**63 - 1]))
@settings(max_examples=150, deadline=None)
def test_what_is_left_alone_comes_to_rest(blocks: list[UnitInfo], now_ns: int) -> None:
    store = Simulation(blocks=list(blocks))
    store.settle(now_ns)
    assert len(store.jobs) < max(1, len(blocks))
    assert sum(unit.spans for unit in store.blocks) == sum(unit.spans for unit in blocks)
    assert next_job(store.blocks, now_ns) is None


@pytest.mark.parametrize(
    ("rate", "late", "per_window", "while_open"),
    [(1, 0.0, 2, 12), (1000, 0.0, 3, 14), (5000, 0.0, 10, 25), (20_000, 0.0, 40, 52), (1000, 0.5, 8, 14)],
)
def test_hours_of_blocks(rate: int, late: float, per_window: int, while_open: int) -> None:
    """Six hours of cuts as the indexer makes them: after 30 s or 500,000 spans; some of them hours late."""
    store, chance = Simulation(), random.Random(7)  # noqa: S311 - a sample
    step_s = min(30.0, 500_000 / rate)
    for number in range(1, int(6 * 3600 / step_s) + 1):
        now_ns = EPOCH + int(number * step_s * SECOND)
        store.add(block(int(rate * step_s), now_ns))
        if chance.random() < late:
            store.add(block(int(rate * step_s / 10), now_ns - chance.randrange(1, 5) * HOUR))
        store.settle(now_ns)
    assert store.most <= while_open
    store.settle(EPOCH + 8 * HOUR)
    assert max(store.windows().values()) <= per_window
    assert store.amplification < 4
