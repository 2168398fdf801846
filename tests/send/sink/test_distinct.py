"""Distinct trace IDs: exact up to the bound, close above it, over any number of processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.send.sink.distinct import Distinct, TraceCounter, distinct

IDS = st.integers(0, (1 << 128) - 1)


def counter(most: int) -> TraceCounter:
    return TraceCounter(memoryview(bytearray(8 * TraceCounter.size(most))).cast("q"), most)


def rows(ids: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return np.frombuffer(b"".join(one.to_bytes(16, "big") for one in ids), np.uint64).reshape(-1, 2)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(IDS | st.integers(0, 20), max_size=30)), max_size=20))
def test_it_is_exact_up_to_the_bound(parts: list[tuple[int, list[int]]]) -> None:
    counters = [counter(700) for _ in range(3)]
    for process, ids in parts:
        counters[process].add(rows(ids))
    assert distinct(counters, 700) == Distinct(len({one for _, ids in parts for one in ids}), exact=True)


@pytest.mark.parametrize(("number", "kind"), [(2_000, "few"), (40_000, "some"), (400_000, "many")])
def test_above_the_bound_it_is_an_estimate(number: int, kind: str) -> None:
    random = np.random.default_rng(1)
    ids = random.integers(0, 1 << 63, (number, 2), np.uint64)
    counters = [counter(1_000), counter(1_000)]
    for some in np.array_split(ids, 50):
        counters[0].add(some)
        counters[1].add(some[::2])
    found = distinct(counters, 1_000)
    assert found.exact is False
    assert found.number == pytest.approx(number, rel=0.04)


def test_ids_with_half_of_their_bits_empty_are_told_apart() -> None:
    counters = [counter(100)]
    counters[0].add(rows(list(range(50_000))))
    counters[0].add(rows([number << 64 for number in range(50_000)]))
    assert distinct(counters, 100).number == pytest.approx(99_999, rel=0.04)


def test_the_bound_is_on_all_processes_together() -> None:
    counters = [counter(100), counter(100)]
    counters[0].add(rows(list(range(80))))
    counters[1].add(rows(list(range(40, 120))))
    assert distinct(counters, 100).exact is False
    assert distinct(counters, 120) == Distinct(120, exact=True)


def test_nothing_was_seen() -> None:
    assert distinct([counter(10)], 10) == Distinct(0, exact=True)
