"""More attribute keys than a table has columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.backend.query.samples import found, request, span, span_ids
from tests.backend.store.rebuild import sent_spans, stored_spans

from vivace.backend.query.memory import Memory
from vivace.backend.query.view import View
from vivace.backend.store.block import BlockSource, write_block
from vivace.backend.store.choice import LEAST_COLUMNS, RARE
from vivace.backend.store.decode import ATTRIBUTE_COLUMNS, decode
from vivace.backend.store.merge import merge
from vivace.backend.store.tables import Tables, attribute_columns
from vivace.backend.store.unit import Unit

KEYS = 20_000
PER_SPAN = 10
UNITS = 8


def value(key: int) -> Any:
    """Values of all types, by key."""
    return (key, f"value {key}", key + 0.5, key % 8 == 3, [key, key + 1], [f"value {key}"])[key % 6]


def literal(key: int) -> str:
    made = value(key)
    one = made[0] if isinstance(made, list) else made
    return f'"{one}"' if isinstance(one, str) else str(one).lower()


def spans() -> Iterator[Span]:
    """Every key in one span, and a few others in many."""
    for number in range(1, KEYS // PER_SPAN + 1):
        own = {f"key.{key}": value(key) for key in range((number - 1) * PER_SPAN, number * PER_SPAN)}
        common = {f"common.{place}": number for place in range(number % 7)}
        yield span(1 + number % 40, number, at_s=number, attributes=own | common)


@pytest.fixture(scope="module")
def sent() -> list[bytes]:
    every = list(spans())
    return [request(*every[unit::UNITS]).SerializeToString() for unit in range(UNITS)]


@pytest.fixture(scope="module")
def merged(sent: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Eight units, made four, two and one; the last time of blocks."""
    folder = tmp_path_factory.mktemp("blocks")
    units = [decode([contents]) for contents in sent]
    for _ in range(2):
        units = [merge(units[place : place + 2]) for place in range(0, len(units), 2)]
    return merge(list(through_blocks(units, folder)))


def through_blocks(units: list[Tables], folder: Path) -> Iterator[Tables]:
    for number, tables in enumerate(units):
        write_block(tables, folder / str(number))
        yield BlockSource(folder / str(number)).tables()


def test_columns_are_bounded_and_nothing_is_lost(sent: list[bytes], merged: Tables) -> None:
    names = merged.spans.schema.names
    assert len(attribute_columns("spans", names)) <= ATTRIBUTE_COLUMNS
    assert {f"span.common.{place}:int" for place in range(6)} <= set(names)
    assert stored_spans(merged) == sent_spans(sent)


def test_every_key_is_known_and_has_its_row(merged: Tables) -> None:
    view = View(Unit.in_memory(merged), Memory(1 << 28))
    assert {f"key.{key}" for key in range(KEYS)} <= view.keys("spans")
    for key in range(0, KEYS, 7):
        assert view.attribute("spans", f"key.{key}").held.sum() == 1


def test_keys_are_searched_wherever_they_are_kept(merged: Tables) -> None:
    unit = Unit.in_memory(merged)
    for first in range(10):
        keys = range(first, KEYS, KEYS // 20 + 1)
        wanted = " || ".join(f"span.key.{key} = {literal(key)}" for key in keys)
        assert span_ids(found(f"{{ {wanted} }}", unit, limit=KEYS, spans=KEYS)) == [key // PER_SPAN + 1 for key in keys]


@pytest.mark.parametrize("parts", [1, 3])
def test_rare_keys_have_no_column_when_there_are_many(parts: int) -> None:
    often = {f"often.{place}": place for place in range(LEAST_COLUMNS)}
    every = [span(1, number, attributes=often) for number in range(1, 2 * RARE)]
    every[0] = span(1, 1, attributes=often | {"rare": 1})
    every[1:4] = [span(1, number, attributes=often | {"fair": number}) for number in (2, 3, 4)]
    requests = [request(*every[part::parts]).SerializeToString() for part in range(parts)]
    tables = merge([decode([contents]) for contents in requests])
    assert len(attribute_columns("spans", tables.spans.schema.names)) == LEAST_COLUMNS + 1
    assert tables.overflow.column("key").to_pylist() == ["rare"]
    assert span_ids(found("{ span.rare = 1 || span.fair = 3 }", Unit.in_memory(tables))) == [1, 3]
