"""Whose a prefix of a bucket is: an object there and a file in the data folder name the same random ID.

Two servers that took the same blocks for theirs would remove each other's. So a prefix belongs to one data folder, and
only one without a manifest may take it over, when told to. Whoever lost it notices before it changes anything there.
"""

from __future__ import annotations

import json
import uuid
from enum import Enum, auto
from typing import Final

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.bucket import Bucket
from vivace.backend.store.storage.failure import NoObject
from vivace.backend.store.storage.home import Home, forget_home, read_home, write_home
from vivace.errors import TargetError

KEY: Final = "~owner.json"
"""No tenant has a name like this."""


class Standing(Enum):
    """Whose a prefix is, seen from a data folder."""

    OURS = auto()
    NOBODYS = auto()
    ANOTHERS = auto()


class Owner:
    """A data folder as the owner, or not, of a prefix."""

    def __init__(self, folder: DataFolder, bucket: Bucket) -> None:
        self._folder = folder
        self._bucket = bucket

    def standing(self) -> Standing:
        """Whose the prefix is now."""
        home, named = read_home(self._folder), self._named()
        if named is None:
            return Standing.NOBODYS
        return Standing.OURS if home is not None and home.id == named else Standing.ANOTHERS

    def take(self) -> None:
        """Makes a prefix this data folder's that is nobody's. TargetError when another server was quicker."""
        before = read_home(self._folder)
        identity = uuid.uuid4().hex if before is None else before.id
        write_home(self._folder, Home(self._bucket.where, identity))
        if not self._bucket.create(KEY, _document(identity)):
            if before is None:
                forget_home(self._folder)
            raise TargetError(
                f"--storage {self._bucket.where}: another server has begun to use it; give one of them another prefix"
            )

    def take_over(self) -> None:
        """Makes a prefix this data folder's, whoever had it."""
        identity = uuid.uuid4().hex
        write_home(self._folder, Home(self._bucket.where, identity))
        self._bucket.put(KEY, _document(identity))

    def settle(self) -> None:
        """Remembers where the prefix is now that is this data folder's; a bucket may have been copied."""
        home = read_home(self._folder)
        if home is not None and home.where != self._bucket.where:
            write_home(self._folder, Home(self._bucket.where, home.id))

    def assert_ours(self) -> None:
        """TargetError when the prefix is not, or no longer, this data folder's."""
        if self.standing() is not Standing.OURS:
            raise TargetError(
                f"--storage {self._bucket.where}: does not belong to {self._folder.root} any more, another server has"
                " taken it over; stop that one, or give this one an empty data folder and another prefix"
            )

    def _named(self) -> str | None:
        try:
            return str(json.loads(self._bucket.get(KEY))["id"])
        except NoObject:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise TargetError(
                f"--storage {self._bucket.where}: {KEY} is not understood ({error}); give another prefix"
            ) from error


def _document(identity: str) -> bytes:
    return json.dumps({"id": identity}).encode()
