"""YAML text -> plain values and the line of each, without what makes YAML dangerous or surprising.

Scalars are read as YAML 1.2 has them: true, false, null, numbers, and everything else is text ("no" is not false).
Aliases, tags and second documents are refused, so a small file stays small when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from vivace.errors import InvalidDocument, Problem

try:
    from yaml import CBaseLoader as Loader
except ImportError:  # PyYAML was built without libyaml
    from yaml import BaseLoader as Loader  # type: ignore[assignment]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Location: TypeAlias = tuple[str | int, ...]

DEEPEST: Final = 32
_CONSTANTS: Final[dict[str, Json]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,30}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,3})?")


class YamlReader:
    """Reads one text; then `lines` holds where each value stands, and `problems` what is wrong with the writing."""

    def __init__(self, source: str, expand: Callable[[str], str] | None = None) -> None:
        self.lines: dict[Location, int] = {}
        self.problems: list[Problem] = []
        self._source = source
        self._expand = expand

    def read(self, text: str) -> Json:
        """The value that the text holds, None when it holds nothing; InvalidDocument when it is not YAML."""
        try:
            events = (event for event in yaml.parse(text, Loader) if isinstance(event, _READ))
            return self._document(events)
        except yaml.YAMLError as error:
            raise InvalidDocument([self._syntax_problem(error)]) from error

    def _document(self, events: Iterator[Event]) -> Json:
        value: Json = None
        if isinstance(next(events), DocumentStartEvent):
            value = self._value(next(events), events, ())
            following = next(events)
            if isinstance(following, DocumentStartEvent):
                self._report((), following, "a second YAML document begins here", "put it in a file of its own")
        return value

    def _value(self, event: Event, events: Iterator[Event], at: Location) -> Json:
        self.lines.setdefault(at, _line(event))
        self._check(event, at)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, at)
        if isinstance(event, AliasEvent):
            return None
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, at)
        return self._sequence(events, at)

    def _check(self, event: Event, at: Location) -> None:
        if isinstance(event, AliasEvent):
            self._report(at, event, f"is an alias (*{event.anchor})", "write the value out")
        elif isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag not in (None, "!"):
            self._report(
                at, event, f"has the tag !{event.tag.removeprefix('tag:yaml.org,2002:').lstrip('!')}", "remove the tag"
            )
        if len(at) > DEEPEST:
            problem = Problem(self._source, field_name(at[:3]), "is nested too deeply", "flatten it", _line(event))
            raise InvalidDocument([problem])

    def _mapping(self, events: Iterator[Event], at: Location) -> dict[str, Json]:
        mapping: dict[str, Json] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._key(event, at)
            inside = (*at, key)
            first = self.lines.get(inside)
            if first is None:
                self.lines[inside] = _line(event)
            else:
                self._report(inside, event, f"is given twice, first in line {first}", "keep one of them")
            mapping[key] = self._value(next(events), events, inside)
        return mapping

    def _key(self, event: Event, at: Location) -> str:
        if isinstance(event, ScalarEvent):
            return str(event.value)
        message, remedy = "holds a field whose name is not text", "give every field a plain name"
        raise InvalidDocument([Problem(self._source, field_name(at), message, remedy, _line(event))])

    def _sequence(self, events: Iterator[Event], at: Location) -> list[Json]:
        sequence: list[Json] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            sequence.append(self._value(event, events, (*at, len(sequence))))
        return sequence

    def _scalar(self, event: ScalarEvent, at: Location) -> Json:
        text = event.value
        if self._expand is not None:
            try:
                text = self._expand(text)
            except ValueError as error:
                self._report(at, event, str(error), "set it, or give a value to use without it: ${NAME:-value}")
        return text if event.style else plain_scalar(text)

    def _report(self, at: Location, event: Event, message: str, remedy: str) -> None:
        self.problems.append(Problem(self._source, field_name(at), message, remedy, _line(event)))

    def _syntax_problem(self, error: yaml.YAMLError) -> Problem:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        remedy = "correct it; indent with spaces, and put text with special characters in quotes"
        return Problem(
            self._source, "document", f"is not YAML: {reason}", remedy, None if mark is None else mark.line + 1
        )


def plain_scalar(text: str) -> Json:
    """What an unquoted scalar means: a constant, a number, or the text itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def field_name(location: Location) -> str:
    """A place inside a document as people write it: `queries[2].name`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".") or "document"


_READ: Final = (NodeEvent, MappingEndEvent, SequenceEndEvent, DocumentStartEvent, StreamEndEvent)


def _line(event: Event) -> int:
    mark = event.start_mark
    return 0 if mark is None else mark.line + 1
