"""Which names are public, and which keys suggest that their numbers identify somebody; what the anonymiser goes by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import yaml

PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Conventions:
    """What is public: see the file, part by part."""

    enumerations: frozenset[str]
    templates: tuple[str, ...]
    keys: frozenset[str]
    """All public keys, those of enumerations included."""
    events: frozenset[str]
    """Names."""
    metrics: tuple[str, ...]
    """Beginnings of names."""
    words: frozenset[str]
    identity: frozenset[str]
    units: frozenset[str]

    def template(self, key: str) -> str:
        """The public beginning of a key whose rest is the user's; empty when it has none."""
        return next((template for template in self.templates if key.startswith(template)), "")


def suggests_identity(key: str) -> bool:
    """Whether numbers under this key are likely to identify somebody, or something of theirs."""
    return not conventions().identity.isdisjoint(part.lower() for part in PARTS.findall(key))


@cache
def conventions() -> Conventions:
    """The built-in list."""
    text = resources.files(__package__).joinpath("conventions.yaml").read_text("utf-8")
    data = yaml.safe_load(text)
    enumerations = frozenset(data["enumerations"])
    return Conventions(
        enumerations,
        tuple(data["templates"]),
        enumerations.union(data["keys"]),
        frozenset(data["events"]),
        tuple(data["metrics"]),
        frozenset(data["words"].split()),
        frozenset(data["identity"].split()),
        frozenset(data["units"].split()),
    )
