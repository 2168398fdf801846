"""Markup -> a whole HTML page that needs nothing beside it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template

from vivace.report.markup import Html, content


def page(title: str, body: list[Html], script: bool = False) -> str:
    """A whole page in this product's style. Its policy lets nothing be fetched, and no script run but its own."""
    code = _part("dashboard.js") if script else ""
    digest = b64encode(sha256(code.encode()).digest()).decode()
    return Template(_part("page.html")).substitute(
        title=escape(title),
        style=_part("dashboard.css"),
        script=code,
        script_hash=f"sha256-{digest}",
        body=content(body),
    )


def _part(name: str) -> str:
    return files("vivace.report").joinpath(name).read_text(encoding="utf-8")
