"""A configuration as plain values that remember where they stand, so that every problem can name its place.

`read_document` reads it from YAML; overrides put values of other origin in it; `validation` makes a model of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from vivace.errors import InvalidDocument, Problem
from vivace.profile.yaml_reader import Json, Location, YamlReader

LARGEST_BYTES: Final = 2**20

Expand: TypeAlias = Callable[[str], str]
"""Replaces what stands for something else in a text; ValueError when it cannot."""


@dataclass(frozen=True)
class Place:
    """Where a value was given: a file and line, or the name of a flag or variable."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Document:
    """Values of a configuration, where each was given, and what was already wrong with their writing."""

    source: str
    value: Json
    places: Mapping[Location, Place]
    problems: tuple[Problem, ...] = ()

    def place(self, location: Location) -> Place:
        """Where the value stands; for one that does not, where the nearest that holds it does."""
        while location and location not in self.places:
            location = location[:-1]
        return self.places.get(location, Place(self.source))

    def with_value(self, path: tuple[str, ...], value: Json, place: Place) -> Document:
        """The same with one value set; mappings on the way to it are made when they are missing."""
        root = _with_value(self.value, path, value)
        return replace(self, value=root, places={**self.places, path: place})

    def with_problem(self, problem: Problem) -> Document:
        """The same with one thing more that is wrong."""
        return replace(self, problems=(*self.problems, problem))


def read_document(path: Path, expand: Expand | None = None) -> Document:
    """Reads a YAML file whose top is a mapping; InvalidDocument when it cannot be read as that at all."""
    return parse_document(_text(path), str(path), expand)


def parse_document(text: str, source: str, expand: Expand | None = None) -> Document:
    """Reads YAML text; `source` is what problems call it."""
    reader = YamlReader(source, expand)
    value = reader.read(text)
    if not isinstance(value, dict):
        kind = "is empty" if value is None else "is not a mapping"
        raise document_problem(source, kind, "write it as fields, one `name: value` per line")
    places = {location: Place(source, line) for location, line in reader.lines.items()}
    return Document(source, value, places, tuple(reader.problems))


def document_problem(source: str, message: str, remedy: str, line: int | None = None) -> InvalidDocument:
    """What is raised when a whole file cannot be used."""
    return InvalidDocument([Problem(source, "document", message, remedy, line)])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise document_problem(str(path), f"cannot be read: {reason}", "check the path and its permissions") from error
    if len(content) > LARGEST_BYTES:
        raise document_problem(str(path), "is larger than 1 MiB", "name a configuration, not data")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise document_problem(str(path), "is not UTF-8 text", "save it as UTF-8", line) from error


def _with_value(node: Json, path: tuple[str, ...], value: Json) -> Json:
    if not path:
        return value
    if node is None:
        node = {}
    if not isinstance(node, dict):
        raise ValueError(f"{path[0]} cannot be set inside a value that is not a mapping")
    return {**node, path[0]: _with_value(node.get(path[0]), path[1:], value)}
