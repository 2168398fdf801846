"""What the command line and the environment say about a profile, put into its document before it is validated.

From strongest to weakest: --set, a flag such as --duration, the environment, the profile, the built-in default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from vivace.errors import ConfigurationError, InvalidDocument, Problem
from vivace.profile.document import Document, Place
from vivace.profile.yaml_reader import Json, YamlReader, plain_scalar

ENVIRONMENT: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "DURATION": ("k6", "duration"),
        "MB_PER_SECOND": ("k6", "ingestion", "mbPerSecond"),
        "QUERIES_PER_SECOND": ("k6", "query", "queriesPerSecond"),
        "VUS_MIN": ("k6", "vus", "min"),
        "VUS_MAX": ("k6", "vus", "max"),
        "TRACE_PROFILE": ("k6", "ingestion", "traceProfile"),
    }
)
"""Environment variables that say something about a profile, and the field that each is for."""


@dataclass(frozen=True)
class Override:
    """A value for a field of a profile, and what gave it: "--set k6.vus.max", "environment variable VUS_MAX"."""

    path: tuple[str, ...]
    value: Json
    source: str


def from_settings(settings: Sequence[str]) -> list[Override]:
    """The overrides of `--set path.to.field=value`; ConfigurationError for one that is not of this form."""
    return [_setting(setting) for setting in settings]


def from_flag(flag: str, path: tuple[str, ...], text: str | None) -> list[Override]:
    """The override that a flag such as --duration makes when it is given."""
    return [] if text is None else [Override(path, plain_scalar(text.strip()), flag)]


def from_environment(environment: Mapping[str, str]) -> list[Override]:
    """The overrides that environment variables make; an empty variable makes none."""
    return [
        Override(path, plain_scalar(environment[name].strip()), f"environment variable {name}")
        for name, path in ENVIRONMENT.items()
        if environment.get(name, "").strip()
    ]


def collect_overrides(
    settings: Sequence[str] = (), duration: str | None = None, environment: Mapping[str, str] = MappingProxyType({})
) -> list[Override]:
    """All overrides, the weakest first, as apply_overrides() wants them."""
    flags = from_flag("--duration", ("k6", "duration"), duration)
    return [*from_environment(environment), *flags, *from_settings(settings)]


def apply_overrides(document: Document, overrides: Iterable[Override]) -> Document:
    """The document with the overrides in it, later ones over earlier ones; what cannot be set becomes a problem."""
    for override in overrides:
        path = _spelled_as_in(document, override.path)
        try:
            document = document.with_value(path, override.value, Place(override.source))
        except ValueError as error:
            problem = Problem(override.source, ".".join(path), str(error), "name a field of a profile")
            document = document.with_problem(problem)
    return document


def _setting(setting: str) -> Override:
    path, equals, text = setting.partition("=")
    parts = tuple(part.strip() for part in path.split("."))
    if not equals or not all(parts):
        raise ConfigurationError(f'--set "{setting}": is not of the form path.to.field=value, such as k6.vus.max=50')
    source = f"--set {path.strip()}"
    return Override(parts, _value(source, text.strip()), source)


def _value(source: str, text: str) -> Json:
    """A value as it may stand in YAML; without quotes and brackets it may hold any character."""
    if text[:1] not in ("{", "[", '"', "'"):
        return plain_scalar(text)
    try:
        return YamlReader(source).read(text)
    except InvalidDocument as error:
        raise ConfigurationError(f"{source}: {text} is not YAML; close its quotes and brackets") from error


def _spelled_as_in(document: Document, path: tuple[str, ...]) -> tuple[str, ...]:
    """The path with the name for the load, `k6` or `load`, that the document has."""
    if path[0] not in ("k6", "load") or not isinstance(document.value, dict):
        return path
    other = "load" if path[0] == "k6" else "k6"
    return (other, *path[1:]) if other in document.value and path[0] not in document.value else path
