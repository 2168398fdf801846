"""Documents -> models: validates a document whole, and says of everything wrong where it is and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from vivace.errors import InvalidDocument, Problem
from vivace.profile.document import Document, Expand, Place, read_document
from vivace.profile.wording import Complaint, complaint
from vivace.profile.yaml_reader import Location, field_name

M = TypeVar("M", bound=BaseModel)

KEY: Final = "[key]"
"""What pydantic adds to the place of a value when it is its name that is wrong."""


class Configuration(BaseModel):
    """A part of a configuration file: frozen, strict, in camelCase, with no field that is not known."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )


def load_document(path: Path, model: type[M], expand: Expand | None = None) -> M:
    """Reads a YAML file as a model; InvalidDocument with every problem it has."""
    return validate(read_document(path, expand), model)


def validate(document: Document, model: type[M]) -> M:
    """Makes a model of a document; InvalidDocument with every problem it has, in the order of their lines."""
    problems = list(document.problems)
    try:
        result = model.model_validate_json(json.dumps(document.value), by_alias=True, by_name=False)
    except ValidationError as error:
        problems += [_problem(document, model, detail) for detail in error.errors()]
    if problems:
        raise InvalidDocument(sorted(problems, key=lambda problem: (problem.line is not None, problem.line or 0)))
    return result


def _problem(document: Document, model: type[BaseModel], detail: ErrorDetails) -> Problem:
    location = tuple(part for part in detail["loc"] if part != KEY)
    said = complaint(model, detail)
    place = _place(document, location, said)
    return Problem(place.source, field_name(location), said.message, said.remedy, place.line)


def _place(document: Document, location: Location, said: Complaint) -> Place:
    """Where the value stands; of several that contradict each other, one that was not given in the file itself."""
    candidates = [location, *((*location[:-1], name) for name in said.related)]
    places = [document.place(candidate) for candidate in candidates]
    return next((place for place in places if place.source != document.source), places[0])
