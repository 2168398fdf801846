"""Different numbers: as NumPy finds them, faster."""

from __future__ import annotations

import numpy as np
import pytest

from vivace.backend.store.distinct import distinct_numbers


@pytest.mark.parametrize("kind", ["int64", "uint32", "uint64", "int32"])
def test_each_number_is_there_once_in_order(kind: str) -> None:
    numbers = np.random.default_rng(7).integers(0, 50, 200).astype(kind)
    found = distinct_numbers(numbers)
    assert found.tolist() == sorted(set(numbers.tolist()))
    assert found.dtype == numbers.dtype


def test_of_no_numbers_there_are_none() -> None:
    assert distinct_numbers(np.zeros(0, np.int64)).tolist() == []
