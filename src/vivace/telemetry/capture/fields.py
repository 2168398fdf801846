"""A JSON object whose fields are read by name and type; what is wrong is told with the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from vivace.telemetry.capture.refusal import Malformed, shown

T = TypeVar("T")


class Fields:
    """Typed access to one JSON object. Everything raises Malformed when a value is not of its type."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise Malformed(f"{shown(value)} where an object is expected")
        self._values: dict[str, object] = value

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def __getitem__(self, name: str) -> object:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, value in self._values.items() if value is not None)

    def required(self, name: str, convert: Callable[[object], T]) -> T:
        """The field's value; it must be there."""
        value = self._values.get(name)
        if value is None:
            raise Malformed(f"{name} is missing")
        try:
            return convert(value)
        except Malformed as error:
            raise error.within(name) from error

    def optional(self, name: str, convert: Callable[[object], T], otherwise: T) -> T:
        """The field's value, `otherwise` when it is not there or null."""
        return self.required(name, convert) if self._values.get(name) is not None else otherwise

    def each(self, name: str, convert: Callable[[Fields], T]) -> list[T]:
        """What `convert` makes of each object in the field's array; nothing when it is not there or null."""
        items = self._values.get(name)
        if items is None:
            return []
        try:
            return converted(items, convert)
        except Malformed as error:
            raise error.within(name) from error


def converted(items: object, convert: Callable[[Fields], T]) -> list[T]:
    """What `convert` makes of each object in an array. Raises Malformed."""
    if not isinstance(items, list):
        raise Malformed(f"{shown(items)} where an array is expected")
    result: list[T] = []
    try:
        result.extend(convert(Fields(item)) for item in items)
    except Malformed as error:
        raise error.within(len(result)) from error
    return result
