"""HTML that cannot forget to escape: text is escaped where it enters an element, and only `Html` passes as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Final

VOID: Final = frozenset({"br", "col", "hr", "link", "meta"})


class Html(str):
    """Markup that was made by `element` or is part of this package, and needs no escaping."""

    __slots__ = ()


Child = str | Iterable["Child"] | None


def element(tag: str, *children: Child, **attributes: str | float | bool | None) -> Html:
    """One element; `class_` is `class`, `data_x` is `data-x`; what is `None` or false is left out."""
    opening = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    return Html(opening if tag in VOID else f"{opening}{content(children)}</{tag}>")


def content(child: Child) -> Html:
    """Any nesting of text and markup as markup."""
    if child is None:
        return Html()
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return Html(escape(child, quote=False))
    return Html("".join(content(one) for one in child))


def datum(figure: str, value: float, text: Child) -> Html:
    """A figure as people read it, which carries its name in the run's JSON and its exact value."""
    return element("data", text, value=repr(value), data_figure=figure)


def json_block(data: object) -> Html:
    """Data for the page's script. No text in it can end the block, because `<` is written as an escape of JSON."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return Html(f'<script type="application/json">{text}</script>')


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
