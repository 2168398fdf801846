"""Where profiles are found: the built-in ones, a folder of the user's, or a file; by name -> validated profiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from vivace.errors import ConfigurationError, InvalidDocument, Problem
from vivace.profile.document import read_document
from vivace.profile.model import Profile
from vivace.profile.overrides import Override, apply_overrides
from vivace.profile.refusal import near
from vivace.profile.validation import validate

BUILT_IN: Final = Path(__file__).parent / "builtin"
_SUFFIXES: Final = (".yaml", ".yml")


def load_profiles(
    names: Sequence[str] | None = None, directory: Path | None = None, overrides: Sequence[Override] = ()
) -> tuple[Profile, ...]:
    """The profiles of these names or files, all there are without names; InvalidDocument with all that is wrong."""
    paths = profile_paths(directory)
    chosen = list(paths.values()) if names is None else [_find(name, paths, directory) for name in names]
    problems: dict[Problem, None] = {}
    profiles: dict[str, Profile] = {}
    for path in dict.fromkeys(chosen):
        try:
            profile = load_profile(path, overrides)
            _add(profiles, profile, path)
        except InvalidDocument as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise InvalidDocument(list(problems))
    return tuple(profiles.values())


def load_profile(path: Path, overrides: Iterable[Override] = ()) -> Profile:
    """The profile in a file, with overrides; InvalidDocument with all that is wrong."""
    return validate(apply_overrides(read_document(path), overrides), Profile)


def profile_path(name: str, directory: Path | None = None) -> Path:
    """The file of a profile, by its name or its own path; ConfigurationError when there is none."""
    return _find(name, profile_paths(directory), directory)


def profile_paths(directory: Path | None = None) -> dict[str, Path]:
    """The files of all profiles by name; one in the directory goes before a built-in one of the same name."""
    paths = {path.stem: path for path in _yaml_files(BUILT_IN)}
    if directory is None:
        return paths
    try:
        return paths | {path.stem: path for path in _yaml_files(directory)}
    except OSError as error:
        raise ConfigurationError(
            f"--profiles-dir {directory}: cannot be read: {error.strerror}; name a folder with profiles"
        ) from error


def _yaml_files(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.iterdir()) if path.suffix in _SUFFIXES and path.is_file())


def _find(name: str, paths: dict[str, Path], directory: Path | None) -> Path:
    if name in paths:
        return paths[name]
    path = Path(name)
    if path.suffix in _SUFFIXES or len(path.parts) > 1:
        return path
    where = "no built-in profile" if directory is None else f"no profile in {directory} and none built in"
    raise ConfigurationError(f'profile "{name}": {where} has this name; {near(name, list(paths))}')


def _add(profiles: dict[str, Profile], profile: Profile, path: Path) -> None:
    if profile.name in profiles:
        message = f'is "{profile.name}", as another profile of this run is'
        raise InvalidDocument([Problem(str(path), "name", message, "give each a name of its own")])
    profiles[profile.name] = profile
