"""Reads a page as a browser would: its elements, the figures it shows, the numbers its charts hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Element:
    """A tag with its attributes and all text within."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    children: list[Element] = field(default_factory=list)


class Page(HTMLParser):
    """All elements of a page, in order."""

    VOID = frozenset({"meta", "br", "hr", "link", "img"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, dict(attrs))
        self.elements.append(made)
        if tag not in self.VOID:
            self._open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for one in self._open:
            one.text += data.replace("\u00a0", " ")

    def all(self, tag: str, class_: str | None = None) -> list[Element]:
        """Elements of a tag, and of a class where one is given."""
        return [
            one
            for one in self.elements
            if one.tag == tag and (class_ is None or class_ in (one.attributes.get("class") or "").split())
        ]

    def figures(self) -> list[tuple[str, float, str]]:
        """Every figure that is shown: its name, its exact value, and what is read."""
        return [
            (str(one.attributes["data-figure"]), float(str(one.attributes["value"])), one.text)
            for one in self.all("data")
        ]

    def headings(self) -> list[str]:
        return [one.text for one in self.all("h2")]

    def charts(self) -> list[dict[str, Any]]:
        """The numbers of every chart."""
        return [json.loads(one.text) for one in self.all("script") if one.attributes.get("type") == "application/json"]


def at_path(document: object, path: str) -> object:
    """The value at a path of names joined by dots, where names may have dots themselves."""
    if not path:
        return document
    if isinstance(document, list):
        first, _, rest = path.partition(".")
        return at_path(document[int(first)], rest)
    assert isinstance(document, Mapping), path
    for name in sorted(document, key=len, reverse=True):
        if path == name or path.startswith(f"{name}."):
            return at_path(document[name], path[len(name) + 1 :])
    raise KeyError(path)
