"""What a text looks like: which of its characters are letters, digits or separators, and where an IP or a UUID stands.

A shape gives every cell of a word (a character, or a number of an IP address) the alphabet from which it may be
replaced. So a permutation of the texts of one shape, and one of each shape, map distinct texts to distinct texts.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final

from vivace.telemetry.capture.conventions import conventions

FIXED: Final = "k"
"""The class of a character that is kept."""
CONTINUED: Final = "c"
"""The class of a character that belongs to the cell before it."""
HEXADECIMAL: Final = str.maketrans("aA", "hH")
ALPHABETS: Final[dict[str, str | tuple[str, ...]]] = {
    "a": ascii_lowercase,
    "A": ascii_uppercase,
    "0": digits,
    "9": digits[1:],
    "h": "abcdef",
    "H": "ABCDEF",
    "1": tuple(str(number) for number in range(10)),
    "2": tuple(str(number) for number in range(10, 100)),
    "3": tuple(str(number) for number in range(100, 256)),
    "b": "".join(map(chr, range(256))),
}
"""By class, in order: letters, digits, first digits of numbers, hexadecimal letters, numbers in IP addresses by their
length, bytes."""

OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4: Final = rf"(?:{OCTET}\.){{3}}{OCTET}"
GROUP: Final = r"[0-9A-Fa-f]{1,4}"
GROUPS: Final = rf"(?:{GROUP}(?::{GROUP}){{0,6}})?"
AFTER_ALNUM: Final = r"(?<![^\W_])"
BEFORE_ALNUM: Final = r"(?![^\W_])"
WORD: Final = r"(?:[^\W_]|[^\x00-\x7f])+"
TOKENS: Final = re.compile(
    rf"""
    (?P<uuid>{AFTER_ALNUM}(?:[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}
      |[0-9A-F]{{8}}(?:-[0-9A-F]{{4}}){{3}}-[0-9A-F]{{12}}){BEFORE_ALNUM})
    |(?P<ipv4>(?<![\w.]){IPV4}(?!\w|\.[0-9]))
    |(?P<ipv6>(?<![\w:.])(?:(?:{GROUP}:){{7}}{GROUP}|{GROUPS}::(?:{GROUP}:){{0,5}}{IPV4}|{GROUPS}::{GROUPS})(?![\w:.]))
    |(?P<hex>{AFTER_ALNUM}(?:(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{{8,}}
      |(?=[0-9]*[A-F])(?=[A-F]*[0-9])[0-9A-F]{{8,}}){BEFORE_ALNUM})
    |(?P<word>{WORD})
    """,
    re.VERBOSE,
)
WORDS: Final = re.compile(f"(?P<word>{WORD})")
SPECIAL: Final = re.compile(r"[0-9A-Fa-f]{8}|[0-9]\.[0-9]+\.|::|:[0-9A-Fa-f]{1,4}:")
"""Without this there is neither an IP address nor a UUID nor another hexadecimal number."""
OCTETS: Final = re.compile(rf"{OCTET}(?=\.)|(?<=\.){OCTET}")
UUID_FIXED: Final = (14, 19)
"""Where a UUID tells its version and its variant."""

PRIVATE_USE: Final = 0xE000
CATEGORIES: Final = (
    "Lu",
    "Ll",
    "Lt",
    "Lm",
    "Lo",
    "Mn",
    "Mc",
    "Me",
    "Nd",
    "Nl",
    "No",
    "Sm",
    "Sc",
    "Sk",
    "So",
    "Cf",
    "Co",
    "Cn",
)
"""What is replaced outside ASCII; punctuation, spaces and controls are kept."""
RANGES: Final = {2: (0x80, 0x800), 3: (0x800, 0x10000), 4: (0x10000, 0x110000)}
"""Code points by their bytes in UTF-8."""


class _Classes(dict[int, str]):
    """Class of every character, for str.translate; those outside ASCII are found as they are met."""

    def __missing__(self, code: int) -> str:
        category = unicodedata.category(chr(code))
        size = len(chr(code).encode())
        found = chr(code)
        if size > 1 and category in CATEGORIES:
            found = chr(PRIVATE_USE + size * len(CATEGORIES) + CATEGORIES.index(category))
        self[code] = found
        return found


ASCII: Final = {"a": ascii_lowercase, "A": ascii_uppercase, "0": digits}
CLASSES: Final = _Classes({ord(character): kind for kind, members in ASCII.items() for character in members})


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a text."""

    classes: str
    """One for each character; of separators outside words, themselves."""
    words: tuple[tuple[int, int], ...]
    """Where each begins and ends."""


def shape(text: str) -> Shape:
    """The shape of a text, which has no surrogates."""
    classes = text.translate(CLASSES)
    public = conventions().words
    parts, words, at = [], [], 0
    for match in (TOKENS if SPECIAL.search(text) else WORDS).finditer(text):
        start, stop = match.span()
        words.append((start, stop))
        kind = match.lastgroup
        if kind != "word" or match[0] in public:
            own = FIXED * (stop - start) if kind == "word" else _special(kind or "", match[0], classes[start:stop])
            parts += [classes[at:start], own]
            at = stop
    return Shape("".join([*parts, classes[at:]]), tuple(words))


def alphabet(kind: str) -> str | tuple[str, ...]:
    """What a cell of that class can hold, in order; empty when it is kept."""
    if ord(kind) < PRIVATE_USE:
        return ALPHABETS.get(kind, "")
    size, category = divmod(ord(kind) - PRIVATE_USE, len(CATEGORIES))
    return _by_category(size).get(CATEGORIES[category], "") if size in RANGES else ""


def _special(kind: str, word: str, classes: str) -> str:
    """Classes in an IP address, a UUID or another hexadecimal number."""
    if kind == "uuid":
        version, variant = UUID_FIXED
        classes = classes[:version] + FIXED + classes[version + 1 : variant] + FIXED + classes[variant + 1 :]
    if kind in {"ipv4", "ipv6"}:
        for match in OCTETS.finditer(word):
            start, stop = match.span()
            classes = f"{classes[:start]}{stop - start}{CONTINUED * (stop - start - 1)}{classes[stop:]}"
    return classes.translate(HEXADECIMAL)


@cache
def _by_category(size: int) -> dict[str, str]:
    """All characters that take so many bytes in UTF-8, by category, in order."""
    found: dict[str, list[str]] = {category: [] for category in CATEGORIES}
    for code in range(*RANGES[size]):
        category = unicodedata.category(chr(code))
        if category in found:
            found[category].append(chr(code))
    return {category: "".join(characters) for category, characters in found.items()}
