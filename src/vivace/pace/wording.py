"""Schedules as people write them, a stage at a time: "1000/s for 5m", "ramp 0 -> 10k/s for 1m".

RATE for TIME
ramp RATE -> RATE for TIME
steps RATE -> RATE in NUMBER for TIME
spike RATE -> RATE [of TIME] for TIME
bursts RATE -> RATE [of TIME] every TIME for TIME
diurnal RATE -> RATE [every TIME] for TIME
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from vivace.pace.stage import Shape, Stage
from vivace.pace.stages import Stages
from vivace.units import parse_duration, parse_rate

EXAMPLE: Final = "ramp 0 -> 1000/s for 1m"
SEPARATOR: Final = re.compile(r"[,;\n]")
_STAGE: Final = re.compile(
    r"(?:(?P<shape>[a-z]+)\s+)?(?P<low>[0-9.][^\s]*)(?:\s*(?:->|→)\s*(?P<high>[0-9.][^\s]*))?(?P<clauses>(?:\s+[a-z]+\s+[^\s]+)*)"
)
_CLAUSES: Final[Mapping[Shape, tuple[str, str]]] = MappingProxyType(
    {
        Shape.STEADY: ("for", ""),
        Shape.RAMP: ("for", ""),
        Shape.STEPS: ("in for", ""),
        Shape.SPIKE: ("for", "of"),
        Shape.BURSTS: ("every for", "of"),
        Shape.DIURNAL: ("for", "every"),
    }
)
"""The words that a shape needs, and those that it may have besides."""
_FIELDS: Final[Mapping[str, tuple[str, Callable[[str], float]]]] = MappingProxyType(
    {
        "for": ("for_s", parse_duration),
        "of": ("of_s", parse_duration),
        "every": ("every_s", parse_duration),
        "in": ("steps", int),
    }
)


def parse_stages(text: str | Iterable[str]) -> Stages:
    """The schedule that stages make, one after the other; in one text they are parted by commas. ValueError."""
    parts = SEPARATOR.split(text) if isinstance(text, str) else text
    return Stages.joined(parse_stage(part).knots() for part in parts)


def parse_stage(text: str) -> Stage:
    """One stage; ValueError says in a few words what is wrong with it."""
    match = _STAGE.fullmatch(" ".join(text.split()))
    if match is None:
        raise ValueError(f'"{text.strip()}" is no stage of a schedule such as "{EXAMPLE}"')
    shape = _shape(match)
    low = parse_rate(match["low"])
    words = _clauses(shape, match["clauses"].split())
    return Stage(shape=shape, low=low, high=low if match["high"] is None else parse_rate(match["high"]), **words)  # type: ignore[arg-type]


def _shape(match: re.Match[str]) -> Shape:
    name = match["shape"] or Shape.STEADY
    if name not in list(Shape):
        raise ValueError(f'has the unknown shape "{name}"; known are {", ".join(Shape)}')
    shape = Shape(name)
    if (match["high"] is None) != (shape is Shape.STEADY):
        needs = "one rate" if shape is Shape.STEADY else "two rates with -> between them"
        raise ValueError(f"is {shape} and needs {needs}" + (", or a shape before them" if shape == "steady" else ""))
    return shape


def _clauses(shape: Shape, words: list[str]) -> dict[str, float]:
    given = dict(zip(words[::2], words[1::2], strict=True))
    needed, allowed = (names.split() for names in _CLAUSES[shape])
    for name in given:
        if name not in (*needed, *allowed):
            raise ValueError(f'has "{name}", which {shape} does not have')
    if len(given) < len(words) // 2:
        raise ValueError("says one thing twice")
    for name in needed:
        if name not in given:
            raise ValueError(f'lacks "{name}"')
    return {_FIELDS[name][0]: _read(name, value) for name, value in given.items()}


def _read(name: str, value: str) -> float:
    try:
        return _FIELDS[name][1](value)
    except ValueError as error:
        raise ValueError(f'has "{name} {value}": {error}') from error
