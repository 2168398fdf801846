"""Texts of log records: patterns with holes, filled for many records at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import yaml
from pydantic import BaseModel, ConfigDict, Field

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.texts import addresses, decimal, joined, uuids

HOLE: Final = re.compile(r"\{(\w+)\}")
MOST_HOLES: Final = 4
PATHS: Final = (
    "/usr/local/bin/backup.sh",
    "/usr/bin/certbot renew -q",
    "/opt/reports/nightly",
    "test -x /usr/sbin/anacron",
)
SYLLABLES: Final = (
    "an",
    "bel",
    "cor",
    "dan",
    "el",
    "fin",
    "gre",
    "hal",
    "in",
    "jo",
    "kim",
    "lu",
    "ma",
    "no",
    "ol",
    "pe",
)

Random: TypeAlias = np.random.Generator
Patterns: TypeAlias = tuple[str, ...]


class Model(BaseModel):
    """Immutable, and without fields nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BySeverity(Model):
    """Patterns, the most frequent first."""

    debug: Patterns = Field(min_length=1)
    info: Patterns = Field(min_length=1)
    warn: Patterns = Field(min_length=1)
    error: Patterns = Field(min_length=1)

    @property
    def ranked(self) -> tuple[Patterns, Patterns, Patterns, Patterns]:
        """In the order of severity."""
        return self.debug, self.info, self.warn, self.error


class ApplicationMessages(BySeverity):
    """What applications tell."""

    loggers: tuple[str, ...]


class SystemMessages(BySeverity):
    """What a program of the system tells."""

    program: str
    file: str


class Messages(Model):
    """All messages."""

    application: ApplicationMessages
    system: tuple[SystemMessages, ...]


@cache
def messages() -> Messages:
    """The built-in messages."""
    text = resources.files(__package__).joinpath("messages.yaml").read_text("utf-8")
    return Messages.model_validate(yaml.safe_load(text))


@dataclass(frozen=True, slots=True)
class Choice:
    """Patterns by group; in each the first is the most frequent."""

    patterns: tuple[str, ...]
    first: Numbers
    count: Numbers

    @classmethod
    def of(cls, groups: Sequence[Patterns]) -> Choice:
        """Among the patterns of these groups."""
        count = np.array([len(group) for group in groups])
        return cls(tuple(pattern for group in groups for pattern in group), np.cumsum(count) - count, count)

    def draw(self, group: Numbers, random: Random) -> Numbers:
        """A pattern for each record."""
        return self.first[group] + (random.random(group.size) ** 2 * self.count[group]).astype(np.int64)


def filled(patterns: tuple[str, ...], which: Numbers, random: Random) -> pa.Array:
    """The text of each record: its pattern, whose holes are filled."""
    pieces, holes = _table(patterns)
    parts = [pieces[0].take(pa.array(which))]
    for place in range(MOST_HOLES):
        if (holes[which, place] < 0).all():
            break
        parts += [_fill(holes[which, place], random), pieces[place + 1].take(pa.array(which))]
    return joined(*parts)


@cache
def _table(patterns: tuple[str, ...]) -> tuple[list[pa.Array], npt.NDArray[np.int64]]:
    """The texts before the first, second… hole of each pattern, and which fillings go there: -1 for none."""
    split = [HOLE.split(pattern) for pattern in patterns]
    pieces = [
        pa.array([parts[2 * place] if 2 * place < len(parts) else "" for parts in split])
        for place in range(MOST_HOLES + 1)
    ]
    holes = [
        [NAMES.index(parts[2 * place + 1]) if 2 * place + 1 < len(parts) else -1 for place in range(MOST_HOLES)]
        for parts in split
    ]
    return pieces, np.array(holes)


def _fill(filling: Numbers, random: Random) -> pa.Array:
    """A text for each row, by which filling it needs; empty for none."""
    place = np.zeros(filling.size, np.int64)
    texts = [pa.array([""])]
    done = 1
    for number, name in enumerate(NAMES):
        rows = np.flatnonzero(filling == number)
        if rows.size:
            texts.append(FILLINGS[name](random, rows.size))
            place[rows] = done + np.arange(rows.size)
            done += rows.size
    return pa.concat_arrays(texts).take(pa.array(place))


def _hex(random: Random, count: int) -> pa.Array:
    return pa.array(np.strings.slice(uuids(random, count).to_numpy(zero_copy_only=False).astype("U36"), 24, 36))


def _few(random: Random, count: int) -> pa.Array:
    return decimal(random.geometric(0.4, count))


def _numbers(random: Random, count: int) -> pa.Array:
    return decimal(random.lognormal(4, 2, count).astype(np.int64))


def _milliseconds(random: Random, count: int) -> pa.Array:
    return decimal(np.round(random.lognormal(2.5, 1.3, count), 1))


def _shares(random: Random, count: int) -> pa.Array:
    return joined(decimal(random.integers(50, 100, count)), pa.repeat("%", count))


def _users(random: Random, count: int) -> pa.Array:
    names = pa.array([first + second + third for first in SYLLABLES for second in SYLLABLES for third in SYLLABLES])
    return names.take(pa.array(random.integers(len(names), size=count)))


def _paths(random: Random, count: int) -> pa.Array:
    return pa.array(PATHS).take(pa.array(random.integers(len(PATHS), size=count)))


def _between(low: int, high: int) -> Callable[[Random, int], pa.Array]:
    return lambda random, count: decimal(random.integers(low, high, count))


FILLINGS: Final[dict[str, Callable[[Random, int], pa.Array]]] = {
    "id": uuids,
    "hex": _hex,
    "few": _few,
    "number": _numbers,
    "ms": _milliseconds,
    "share": _shares,
    "address": addresses,
    "user": _users,
    "path": _paths,
    "port": _between(1024, 65_536),
    "pid": _between(2, 4_194_304),
    "seconds": _between(1, 600),
}
NAMES: Final = tuple(FILLINGS)
