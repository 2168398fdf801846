"""A source as JSON documents: one to a line, or one or more that each fill several lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from vivace.telemetry.capture.refusal import Place
from vivace.telemetry.capture.source import Source, too_large

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
WHITESPACE: Final = " \t\r\n"
DECODER: Final = json.JSONDecoder()
REMEDY: Final = "cut the file before it, or capture anew"


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value and the line on which it starts."""

    place: Place
    value: object


def documents(source: Source, largest: int) -> Iterator[Document]:
    """All documents, in order; a line each is read one at a time, others are read together.

    Raises TemplateError when one is not JSON, or has more than `largest` bytes.
    """
    first = source.next_line(largest).removeprefix(BYTE_ORDER_MARK)
    while first and not first.strip():
        first = source.next_line(largest)
    place = Place(source.path, source.line)
    text = _text(place, first)
    try:
        value = json.loads(text)
    except ValueError:
        yield from _over_lines(source, place, text, largest)
    except RecursionError:
        _refuse_depth(place)
    else:
        yield Document(place, value)
        yield from _lines(source, largest)


def _lines(source: Source, largest: int) -> Iterator[Document]:
    while line := source.next_line(largest):
        if line.strip():
            place = Place(source.path, source.line)
            yield Document(place, loads(place, line))


def loads(place: Place, data: bytes) -> object:
    """The document in `data`. Raises TemplateError when it is not JSON."""
    text = _text(place, data)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise place.refusal(f"is not JSON: {error.msg} (column {error.colno})", REMEDY) from error
    except ValueError as error:
        raise place.refusal(f"is not JSON: {error}", REMEDY) from error
    except RecursionError:
        _refuse_depth(place)


def _over_lines(source: Source, place: Place, first: str, largest: int) -> Iterator[Document]:
    """Documents that fill several lines; `first` is the line that has been read already."""
    rest = source.read(largest + 1)
    if len(rest) > largest:
        raise too_large(place, "JSON document", largest)
    text = first + _text(place, rest)
    at = _skip(text, 0)
    while at < len(text):
        here = Place(place.path, (place.line or 1) + text.count("\n", 0, at))
        value, at = _next_value(here, text, at)
        yield Document(here, value)
        at = _skip(text, at)


def _next_value(place: Place, text: str, at: int) -> tuple[object, int]:
    try:
        return DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        line = (place.line or 1) + text.count("\n", at, error.pos)
        wrong = Place(place.path, line)
        raise wrong.refusal(f"is not JSON: {error.msg} (column {error.colno})", REMEDY) from error
    except ValueError as error:
        raise place.refusal(f"is not JSON: {error}", REMEDY) from error
    except RecursionError:
        _refuse_depth(place)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    return at


def _text(place: Place, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = (place.line or 1) + data.count(b"\n", 0, error.start)
        raise Place(place.path, line).refusal(
            f"is not UTF-8 (byte {error.start} of it)", "save the file as UTF-8, or capture anew"
        ) from error


def _refuse_depth(place: Place) -> NoReturn:
    raise place.refusal("is nested too deeply", "remove what is nested so deeply, or capture anew") from None
