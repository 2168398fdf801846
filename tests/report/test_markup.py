"""Nothing from outside becomes markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.report.markup import Html, datum, element, json_block


class Reader(HTMLParser):
    """Collects tags, attributes and text as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"])))
@settings(max_examples=60, deadline=None)
def test_text_and_attributes_come_back_as_they_were(text: str) -> None:
    read = Reader(element("p", text, title=text))
    assert read.tags == ["p"]
    assert read.attributes == [("title", text)]
    assert read.text == text


def test_only_markup_passes_as_it_is() -> None:
    assert element("p", Html("<b>x</b>"), "<b>") == "<p><b>x</b>&lt;b&gt;</p>"


def test_absent_children_and_attributes_leave_nothing() -> None:
    assert element("p", None, [None, "x"], title=None, hidden=False, class_="a") == '<p class="a">x</p>'


@pytest.mark.parametrize("text", ["</script><script>alert(1)</script>", "<!-- <script>", "\u2028", '"'])
def test_no_text_ends_a_block_of_data(text: str) -> None:
    block = json_block({"name": text})
    body = block.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert "<" not in body
    assert json.loads(body) == {"name": text}


def test_a_datum_carries_its_name_and_exact_value() -> None:
    assert datum("ingest.mb_per_s", 0.1 + 0.2, "0.3") == (
        '<data value="0.30000000000000004" data-figure="ingest.mb_per_s">0.3</data>'
    )
