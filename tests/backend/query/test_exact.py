"""Integers and floats compare as the numbers that they are, also where a float holds no longer every integer."""

from __future__ import annotations

import math
import operator as python

import numpy as np
import pytest
from tests.backend.query.samples import found, request, span, span_ids, unit

from vivace.backend.query.exact import NUMERIC, across, against, among
from vivace.backend.store.unit import Unit
from vivace.traceql.tree import Operator

BIG = 2**53
LAST = 2**63 - 1
INTEGERS = [0, 1, -1, 3, BIG - 1, BIG, BIG + 1, BIG + 2, BIG + 3, -BIG - 1, LAST, LAST - 1, -LAST - 1, -LAST, 2**62 + 1]
FLOATS = [0.0, -0.0, 0.5, -0.5, 1.0, 3.0, float(BIG), float(BIG + 2), -float(BIG), 2.0**63, -(2.0**63), 2.0**62, 1e300]
FLOATS += [-1e300, 1e-300, math.nextafter(2.0**63, 0), -math.nextafter(2.0**63, math.inf)]
ODD = [math.nan, math.inf, -math.inf]
NUMBERS: list[int | float] = [*INTEGERS, *FLOATS]


@pytest.mark.parametrize("operator", NUMERIC)
def test_columns_and_constants_compare_as_python_compares_numbers(operator: Operator) -> None:
    judge = NUMERIC[operator]
    for data in (np.array(INTEGERS), np.array([*FLOATS, *ODD])):
        for number in NUMBERS:
            assert against(operator, data, number).tolist() == [judge(one, number) for one in data.tolist()]


@pytest.mark.parametrize("operator", NUMERIC)
def test_columns_of_either_kind_compare_as_python_compares_numbers(operator: Operator) -> None:
    for least in (-LAST - 1, -BIG, -1):
        pairs = [(whole, one) for whole in INTEGERS if least <= whole <= -least for one in (*FLOATS, *ODD)]
        integers, floats = (np.array(side) for side in zip(*pairs, strict=True))
        assert across(operator, integers, floats).tolist() == [NUMERIC[operator](*pair) for pair in pairs]


def test_membership_is_exact() -> None:
    for data in (np.array(INTEGERS), np.array([*FLOATS, *ODD]), np.array([0, 1, 3], np.int8)):
        for first, second in zip(NUMBERS, reversed(NUMBERS), strict=True):
            expected = [any(python.eq(one, number) for number in (first, second)) for one in data.tolist()]
            assert among(data, [first, second]).tolist() == expected
    assert among(np.array([1]), []).tolist() == [False]


@pytest.fixture(scope="module")
def stored() -> Unit:
    """Spans 1 to 6, with numbers as large as are told apart by integers alone."""
    values = [BIG, BIG + 1, float(BIG), LAST, 2.0**63, [BIG + 1]]
    return unit(request(*(span(n, n, attributes={"v": v, "f": float(BIG)}) for n, v in enumerate(values, 1))))


@pytest.mark.parametrize(
    ("query", "spans"),
    [
        ("span.v = 9007199254740993", [2, 6]),
        ("9007199254740993 = span.v", [2, 6]),
        ("span.v = 9007199254740992.0", [1, 3]),
        ("span.v > 9007199254740992.0", [2, 4, 5, 6]),
        ("9007199254740992.0 < span.v", [2, 4, 5, 6]),
        ("span.v >= 9007199254740993", [2, 4, 5, 6]),
        ("span.v < 9007199254740993", [1, 3]),
        ("span.v != 9007199254740993", [1, 3, 4, 5]),
        ("span.v = 9223372036854775807", [4]),
        ("span.v = 9223372036854775808.0", [5]),
        ("span.v < 9223372036854775808.0", [1, 2, 3, 4, 6]),
        ("span.v = 9007199254740993 || span.v = 9223372036854775807", [2, 4, 6]),
        ("span.v = 9007199254740992.0 || span.v = 9223372036854775808.0", [1, 3, 5]),
        ("span.v != 9007199254740992 && span.v != 9223372036854775807", [2, 5, 6]),
        ("span.v = span.f", [1, 3]),
        ("span.f < span.v", [2, 4, 5, 6]),
        ("span.v != span.f", [2, 4, 5, 6]),
        ("9007199254740993 = 9007199254740992.0", []),
        ("9007199254740993 > 9007199254740992.0", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_queries_tell_large_numbers_apart(query: str, spans: list[int], stored: Unit) -> None:
    assert span_ids(found(f"{{ {query} }}", stored)) == spans
