"""How a capture is refused: one line that names the file, the place in it, what is wrong and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from vivace.errors import TemplateError

LONGEST_SHOWN: Final = 60


class Malformed(Exception):
    """A value in a document is not what its format says; the steps that lead to it are added on the way out."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self._steps: list[str] = []

    def within(self, step: str | int) -> Self:
        """The same, one step further out: the key or the index of what holds the value."""
        self._steps.append(f"[{step}]" if isinstance(step, int) else f".{step}")
        return self

    def __str__(self) -> str:
        path = "".join(reversed(self._steps)).removeprefix(".")
        return f"{path}: {self.what}" if path else self.what


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a capture something stands; lines count from 1, bytes from 0 after decompression."""

    path: Path
    line: int | None = None
    byte: int | None = None

    def __str__(self) -> str:
        if self.line is not None:
            return f"{self.path}:{self.line}"
        return f"{self.path} (byte {self.byte})" if self.byte is not None else str(self.path)

    def refusal(self, what: str, remedy: str) -> TemplateError:
        """The error for what is wrong at this place."""
        return TemplateError(f"{self}: {what}; {remedy}")


def shown(value: object) -> str:
    """A value as a message shows it, shortened when it is long."""
    match value:
        case dict():
            return "an object"
        case list():
            return "an array"
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
