"""Objects in a bucket: requests with time-outs and repeated tries; whatever fails is a StorageFailure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from vivace.backend.store.storage.failure import NoObject, failure
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.settings import StorageSettings
from vivace.errors import ConfigurationError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

PART_BYTES: Final = 8 << 20
"""Larger files go in several requests."""
PARALLEL: Final = 4
CONNECT: Final = timedelta(seconds=5)
ANSWER: Final = timedelta(seconds=30)

_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_ENCRYPTION: Final = {"SSE-S3": "AES256", "SSE-KMS": "aws:kms"}


class Bucket:
    """The objects below a prefix of a bucket, by key. Safe for use by several threads."""

    def __init__(self, settings: StorageSettings, figures: StorageFigures) -> None:
        """Credentials, region and endpoint come from the environment; ConfigurationError when that cannot be."""
        self.where = settings.where or ""
        self._figures = figures
        patience = timedelta(seconds=settings.patience_s)
        try:
            self._store = S3Store(
                settings.bucket,
                prefix=settings.prefix or None,
                config=_encryption(settings),
                client_options=_client(patience),
                retry_config=_tries(patience),
            )
        except (BaseError, ValueError) as error:
            raise ConfigurationError(
                f"--storage {self.where}: {str(error).splitlines()[0]}; look at the AWS_ variables of the environment"
            ) from error

    def get(self, key: str) -> bytes:
        """A small object."""
        with self._request("GET", key):
            return bytes(obstore.get(self._store, key).bytes())

    def get_part(self, key: str, start: int, end: int) -> memoryview:
        """Bytes of an object."""
        with self._request("GET", key):
            part = memoryview(obstore.get_range(self._store, key, start=start, end=end))
        self._figures.moved("down", len(part))
        return part

    def put(self, key: str, content: bytes) -> None:
        """A small object; durable when it returns."""
        with self._request("PUT", key):
            obstore.put(self._store, key, content)

    def put_file(self, key: str, path: Path) -> None:
        """A file of any size; durable when it returns."""
        with self._request("PUT", key):
            obstore.put(self._store, key, path, chunk_size=PART_BYTES, max_concurrency=PARALLEL)
        self._figures.moved("up", path.stat().st_size)

    def create(self, key: str, content: bytes) -> bool:
        """A small object that is not there yet; False when it is."""
        try:
            with self._request("PUT", key):
                obstore.put(self._store, key, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def sizes(self, prefix: str = "") -> Mapping[str, int]:
        """The keys below a prefix, which ends with a folder, and their objects' sizes."""
        with self._request("LIST", prefix):
            found = obstore.list(self._store, prefix or None)
            return {item["path"]: item["size"] for chunk in found for item in chunk}

    def delete(self, keys: Sequence[str]) -> None:
        """Objects that may be gone already."""
        if not keys:
            return
        with self._request("DELETE", keys[0]):
            obstore.delete(self._store, keys)

    @contextmanager
    def _request(self, operation: str, key: str) -> Iterator[None]:
        began = perf_counter()
        status = "200"
        try:
            yield
        except AlreadyExistsError:
            status = "412"
            raise
        except (BaseError, OSError, ValueError) as error:
            failed = failure(error, f"{self.where.rstrip('/')}/{key}".rstrip("/"))
            status = failed.status
            raise failed from (None if isinstance(failed, NoObject) else error)
        finally:
            self._figures.request(operation, status, perf_counter() - began)


def _encryption(settings: StorageSettings) -> S3Config:
    config: S3Config = {}
    if settings.sse is not None:
        config["server_side_encryption"] = _ENCRYPTION[settings.sse]
    if settings.kms_key_id is not None:
        config["sse_kms_key_id"] = settings.kms_key_id
    return config


def _client(patience: timedelta) -> ClientConfig:
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    options: ClientConfig = {"connect_timeout": CONNECT, "timeout": min(ANSWER, patience)}
    if endpoint is not None:
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                f'AWS_ENDPOINT_URL_S3: "{endpoint}" is not the address of a server; give http://HOST:PORT or https://HOST'
            )
        options["allow_http"] = parts.scheme == "http"
    if authorities := os.environ.get("AWS_CA_BUNDLE"):
        try:
            options["root_certificate"] = Path(authorities).read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"AWS_CA_BUNDLE: {authorities}: cannot be read ({error.strerror}); give a file of PEM certificates"
            ) from error
    return options


def _tries(patience: timedelta) -> RetryConfig:
    return {
        "max_retries": 10,
        "retry_timeout": patience,
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
    }
