"""How spans hang together, also in trees as deep as they have spans."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.query.samples import found, request, span, span_ids, unit

from vivace.backend.query import tree_order
from vivace.backend.query.memory import Memory
from vivace.backend.query.tree_order import ROOT, UNCONNECTED, ancestors, descendants, nested_set, parents
from vivace.backend.query.view import View

DEPTH = 100_000
"""What takes a round per level, over all spans, would not end."""


def naive_above(parent: list[int], row: int) -> list[int]:
    above = []
    while (row := parent[row]) >= 0:
        above.append(row)
    return above


@st.composite
def forests(draw: st.DrawFn) -> list[int]:
    """Parents; every span's is a root, is unconnected, or came before it."""
    size = draw(st.integers(1, 40))
    deep = draw(st.booleans())
    return [
        row - 1 if deep and row else draw(st.integers(UNCONNECTED, row - 1)) if row else ROOT for row in range(size)
    ]


@settings(max_examples=60, deadline=None)
@given(forests(), st.sets(st.integers(0, 39)), st.integers(0, 3))
def test_relations_are_those_of_the_tree_however_far_is_climbed(parent: list[int], marked: set[int], deep: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tree_order, "_DEEP", deep)
        rows = np.array(parent)
        chosen = np.array([row in marked for row in range(len(parent))])
        below = descendants(rows, chosen, np.arange(len(rows)))
        above = ancestors(rows, np.flatnonzero(chosen), len(rows))
    lines = [naive_above(parent, row) for row in range(len(parent))]
    assert below.tolist() == [any(row in marked for row in line) for line in lines]
    assert above.tolist() == [
        any(row in lines[other] for other in marked if other < len(lines)) for row in range(len(lines))
    ]


def test_a_tree_as_deep_as_it_has_spans_is_no_dearer_than_another() -> None:
    chain = np.arange(-1, DEPTH - 1)
    top, bottom = np.zeros((2, DEPTH), np.bool_)
    top[0] = bottom[-1] = True
    assert descendants(chain, top, np.arange(DEPTH)).sum() == DEPTH - 1
    assert ancestors(chain, np.flatnonzero(bottom), DEPTH).sum() == DEPTH - 1


def test_circles_are_unconnected() -> None:
    spans = [span(1, 1), span(1, 2, 1), span(1, 3, 4), span(1, 4, 3), span(1, 5, 4), span(1, 6, 6), span(1, 7, 9)]
    view = View(unit(request(*spans)), Memory(1 << 20))
    by_id = dict(zip(view.words("spans", "span_id").tolist(), parents(view).tolist(), strict=True))
    assert [number for number, parent in by_id.items() if parent != UNCONNECTED] == [1, 2]
    assert by_id[1] == ROOT


def test_a_deep_trace_is_searched_like_any_other() -> None:
    depth = 3000
    deep = unit(request(*(span(1, n, n - 1, name="even" if n % 2 == 0 else "odd") for n in range(1, depth + 1))))
    (trace,) = found("{ nestedSetLeft = 1 } >> { name = `odd` }", deep, spans=0)
    assert trace["spanSets"][0]["matched"] == depth // 2 - 1
    (trace,) = found("{ span:id = `0000000000000bb8` } << { name = `odd` }", deep, spans=0)
    assert trace["spanSets"][0]["matched"] == depth // 2
    numbers = nested_set(View(deep, Memory(1 << 24)))
    assert numbers.left.tolist() == list(range(1, depth + 1))
    assert numbers.right.tolist() == list(range(2 * depth, depth, -1))


def test_of_very_many_spans_with_one_id_the_first_is_the_parent() -> None:
    """Looking at each as the parent of each would not end."""
    many = 20_000
    same = [span(1, 1, name=f"n{number}", at_s=number) for number in range(many)]
    one = unit(request(*same, *(span(1, 1000 + number, 1) for number in range(many))))
    view = View(one, Memory(1 << 26))
    linked = parents(view)
    first = int(np.flatnonzero(view.words("spans", "span_id") == 1)[0])
    assert set(linked[view.words("spans", "parent_id") == 1].tolist()) == {first}


def test_spans_with_one_id_in_different_traces_have_parents_of_their_own() -> None:
    spans = [one for trace in range(1, 30) for one in (span(trace, 1), span(trace, 2, 1, name="child"))]
    assert span_ids(found("{ } > { name = `child` }", unit(request(*spans)), limit=100)) == [2] * 29
