"""Opens wherever blocks are kept."""

from __future__ import annotations

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.local import LocalStorage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.errors import ConfigurationError


def open_storage(settings: StorageSettings, folder: DataFolder) -> Storage:
    """Does not reach for it yet; `claim` does."""
    if settings.where is not None:
        raise ConfigurationError("--storage: object stores are not served by this version; leave it out")
    return LocalStorage(folder)
