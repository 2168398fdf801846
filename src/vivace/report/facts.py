"""Names and values side by side."""

from __future__ import annotations

from collections.abc import Iterable

from vivace.report.markup import Child, Html, element

Fact = tuple[str, Child]


def fact_list(facts: Iterable[Fact]) -> Html:
    """Names on the left, values on the right."""
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    return element("dl", rows, class_="facts")
