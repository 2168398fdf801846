"""What a data folder knows of the object store that its blocks are in: where it is, and under which ID it owns it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vivace.backend.store.folder import DataFolder, complete, sync
from vivace.errors import TargetError


@dataclass(frozen=True, slots=True)
class Home:
    """The place of a data folder's blocks."""

    where: str
    id: str
    """Random; the object store knows the same, so that nobody else's data folder is taken for this one."""


def read_home(folder: DataFolder) -> Home | None:
    """None when the data folder never had blocks in an object store."""
    path = _path(folder)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Home(document["where"], document["id"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise TargetError(
            f"{path}: does not say where blocks are ({error}); restore it, or start with an empty data folder"
        ) from error


def write_home(folder: DataFolder, home: Home) -> None:
    """On disk when it returns."""
    with complete(_path(folder)) as temporary:
        temporary.write_text(json.dumps(asdict(home)), encoding="utf-8")
    sync(folder.root)


def forget_home(folder: DataFolder) -> None:
    """For a place that turned out to be somebody else's."""
    _path(folder).unlink(missing_ok=True)


def _path(folder: DataFolder) -> Path:
    return folder.root / "storage.json"
