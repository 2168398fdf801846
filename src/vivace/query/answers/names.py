"""Answers to questions for the names of tags, and for their values: of either version of the API."""

from __future__ import annotations

import json

from vivace.query.answer import Failed, Failure, Found, digest_of


def read_tags(body: bytes) -> Found:
    """Names by scope, or a plain list of them."""
    try:
        answer = json.loads(body)
        names = [("", name) for name in answer.get("tagNames") or ()]
        for scope in answer.get("scopes") or ():
            scope_name = scope["name"]
            names += ((scope_name, name) for name in scope.get("tags") or ())
        return _found(answer, names, {"tagNames", "scopes"})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Failed(Failure.UNREADABLE, f"no list of tags: {type(error).__name__}: {error}") from None


def read_tag_values(body: bytes) -> Found:
    """Values with their types, or a plain list of them."""
    try:
        answer = json.loads(body)
        values = [
            (value.get("type", ""), value["value"]) if isinstance(value, dict) else ("", value)
            for value in answer.get("tagValues") or ()
        ]
        return _found(answer, values, {"tagValues"})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Failed(Failure.UNREADABLE, f"no list of values: {type(error).__name__}: {error}") from None


def _found(answer: dict[str, object], names: list[tuple[str, str]], fields: set[str]) -> Found:
    if answer and not answer.keys() & (fields | {"metrics"}):
        raise ValueError(f"it holds {', '.join(answer)[:80]}")
    for kind, name in names:
        if not isinstance(kind, str) or not isinstance(name, str):
            raise TypeError(f"{name!r} is no text")
    if len(set(names)) < len(names):
        raise Failed(Failure.WRONG, "a name is there twice")
    return Found(items=len(names), digest=digest_of(names))
