"""Values: IDs as numbers of groups and as text."""

from __future__ import annotations

import numpy as np

from vivace.backend.query.value import Identifiers


def test_ids_of_two_words_are_told_apart_by_both() -> None:
    high, low = np.array([1, 0, 1, 0, 1], np.uint64), np.array([2, 7, 1, 7, 2], np.uint64)
    ids = Identifiers((high, low))
    codes, rows = ids.distinct()
    assert codes.tolist() == [2, 0, 1, 0, 2]
    assert codes[rows].tolist() == [0, 1, 2]
    column = ids.column()
    assert [column.python(row) for row in range(5)] == [
        f"1{2:016x}",
        "7",
        f"1{1:016x}",
        "7",
        f"1{2:016x}",
    ]


def test_ids_of_one_word_keep_their_zeros() -> None:
    column = Identifiers((np.array([255, 0], np.uint64),)).column()
    assert [column.python(row) for row in range(2)] == ["00000000000000ff", "0000000000000000"]


def test_no_ids_are_no_groups() -> None:
    codes, rows = Identifiers((np.zeros(0, np.uint64),)).distinct()
    assert (len(codes), len(rows)) == (0, 0)
