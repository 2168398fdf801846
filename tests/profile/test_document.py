"""Documents keep lines, read scalars without surprises, and expand the environment."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.errors import InvalidDocument
from vivace.profile.document import parse_document
from vivace.profile.expansion import from_environment
from vivace.profile.validation import Configuration, load_document, validate
from vivace.profile.yaml_reader import Json, plain_scalar


class Query(Configuration):
    query_name: str
    weight: float = 1


class Plan(Configuration):
    queries: tuple[Query, ...]
    headers: Mapping[str, str] = {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("5", 5),
        ("-5", -5),
        ("010", 10),
        ("1:30", "1:30"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("2026-01-01", "2026-01-01"),
        ("5m", "5m"),
    ],
)
def test_plain_scalars(text: str, value: Json) -> None:
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


def test_quoted_scalars_are_text() -> None:
    assert parse_document("a: '5'\nb: \"true\"\nc: |\n  5\n", "x").value == {"a": "5", "b": "true", "c": "5\n"}


def test_every_value_knows_its_line() -> None:
    document = parse_document("# first\na:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "x.yaml")
    lines = {location: place.line for location, place in document.places.items() if location}
    assert lines == {
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 4,
        ("a", "c", 0): 5,
        ("a", "c", 1): 6,
        ("a", "c", 1, "d"): 6,
    }
    assert str(document.place(("a", "c", 1, "missing"))) == "x.yaml:6"


def test_any_model_is_made_of_a_document(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("queries:\n- queryName: a\n- {queryName: b, weight: 2}\n")
    assert load_document(path, Plan).queries == (Query(query_name="a"), Query(query_name="b", weight=2))


def test_problems_inside_lists_are_named_by_their_number() -> None:
    document = parse_document("queries:\n- queryName: a\n- query_name: b\n  weight: heavy\n", "plan.yaml")
    with pytest.raises(InvalidDocument) as raised:
        validate(document, Plan)
    assert str(raised.value).splitlines() == [
        "plan.yaml:3: queries[1].queryName: is missing; add it",
        'plan.yaml:3: queries[1].query_name: is not a known field; did you mean "queryName"?',
        'plan.yaml:4: queries[1].weight: is "heavy", must be a number; give a number',
    ]


def test_the_environment_is_expanded_and_then_read() -> None:
    expand = from_environment({"NAME": "q", "WEIGHT": "3"})
    document = parse_document("queries:\n- queryName: ${NAME}-${MISSING:-x}\n  weight: ${WEIGHT}\n", "x", expand)
    assert validate(document, Plan).queries == (Query(query_name="q-x", weight=3),)


def test_an_expanded_secret_in_quotes_stays_text() -> None:
    expand = from_environment({"TOKEN": "12345"})
    document = parse_document('queries: []\nheaders:\n  x-token: "${TOKEN}"\n', "x", expand)
    assert validate(document, Plan).headers == {"x-token": "12345"}


def test_a_variable_that_is_not_set_is_named() -> None:
    document = parse_document('queries: []\nheaders:\n  x-token: "${TOKEN}"\n', "x.yaml", from_environment({}))
    with pytest.raises(InvalidDocument) as raised:
        validate(document, Plan)
    assert str(raised.value) == (
        "x.yaml:3: headers.x-token: names the environment variable TOKEN, which is not set; "
        "set it, or give a value to use without it: ${NAME:-value}"
    )


def test_without_expansion_the_text_stays() -> None:
    assert parse_document('a: "${TOKEN}"\n', "x").value == {"a": "${TOKEN}"}


@given(st.text(max_size=200) | st.text(alphabet="ab:-[]{}\"'&*!|>#%@,?~ \n\t1.", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_document_or_a_clear_refusal(text: str) -> None:
    with suppress(InvalidDocument):
        validate(parse_document(text, "x.yaml"), Plan)
