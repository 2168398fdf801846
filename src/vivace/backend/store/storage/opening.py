"""Opens wherever blocks are kept."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.local import LocalStorage
from vivace.backend.store.storage.settings import StorageSettings


def open_storage(
    settings: StorageSettings,
    folder: DataFolder,
    figures: StorageFigures | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Storage:
    """Does not reach for it yet; `claim` does. ConfigurationError when the environment says what cannot be.

    What is found there and not understood is reported in lines.
    """
    if settings.where is None:
        return LocalStorage(folder)
    from vivace.backend.store.storage.bucket import Bucket  # noqa: PLC0415 - only who has one pays for the client
    from vivace.backend.store.storage.objects import ObjectStorage  # noqa: PLC0415

    counted = figures or StorageFigures(CollectorRegistry(), "storage")
    return ObjectStorage(
        folder, Bucket(settings, counted), settings.kept_bytes, counted, adopt=settings.adopt, report=report
    )
