"""What is said of where blocks are kept, checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from vivace.errors import ConfigurationError

CACHE_BYTES: Final = 10 << 30
ENCRYPTIONS: Final = ("SSE-S3", "SSE-KMS")

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where blocks are kept. ConfigurationError, with a line for each problem, when that cannot be."""

    where: str | None = None
    """s3://bucket/prefix; None for the data folder."""
    sse: str | None = None
    """Who encrypts what lies there: None leaves it to the bucket, SSE-S3 and SSE-KMS ask for it."""
    kms_key_id: str | None = None
    cache_bytes: int | None = None
    """So much of what is in an object store is kept in the data folder as well; None for what is usual."""
    patience_s: float = 30.0
    """So long is a request that failed tried again before it is given up."""
    adopt: bool = False
    """Whether a data folder without a manifest may take over what another one put there."""

    def __post_init__(self) -> None:
        if problems := [*self._problems_of_where(), *self._problems_of_encryption(), *self._problems_of_size()]:
            raise ConfigurationError("\n".join(problems))

    @property
    def kept_bytes(self) -> int:
        """So much is kept in the data folder."""
        return CACHE_BYTES if self.cache_bytes is None else self.cache_bytes

    @property
    def bucket(self) -> str:
        """The bucket, where there is one."""
        return urlsplit(self.where or "").netloc

    @property
    def prefix(self) -> str:
        """What keys begin with, without slashes at its ends; empty when keys begin with tenants."""
        return urlsplit(self.where or "").path.strip("/")

    def _problems_of_where(self) -> Iterator[str]:
        remedy = "give s3://BUCKET or s3://BUCKET/PREFIX"
        if self.where is None:
            return
        parts = urlsplit(self.where)
        if "@" in parts.netloc:
            yield "--storage: credentials do not belong into the address; give them as AWS_ACCESS_KEY_ID and so on"
        elif parts.scheme != "s3":
            yield f'--storage: "{self.where}" is not an address of an S3 bucket; {remedy}'
        elif not _BUCKET.fullmatch(parts.netloc):
            yield f'--storage: "{parts.netloc}" is not the name of a bucket; {remedy}'
        elif parts.query or parts.fragment:
            yield f'--storage: "{self.where}" has more than a bucket and a prefix; {remedy}'
        elif self.prefix and (not _PREFIX.fullmatch(self.prefix) or {".", ".."} & {*self.prefix.split("/")}):
            yield f'--storage: "{self.prefix}" cannot be a prefix; {remedy}, of letters, digits and any of !-_.*\'()'

    def _problems_of_encryption(self) -> Iterator[str]:
        if self.where is None:
            given = {
                "sse": self.sse,
                "kms-key-id": self.kms_key_id,
                "adopt": self.adopt or None,
                "cache": self.cache_bytes,
            }
            for name in (name for name, value in given.items() if value is not None):
                yield f"--storage-{name}: counts only with an object store; give --storage s3://BUCKET/PREFIX as well"
            return
        if self.sse is not None and self.sse not in ENCRYPTIONS:
            yield f'--storage-sse: "{self.sse}" is not known; give {" or ".join(ENCRYPTIONS)}'
        if self.sse == "SSE-KMS" and not self.kms_key_id:
            yield "--storage-kms-key-id: is missing; SSE-KMS needs the ID or the ARN of a key"
        if self.sse != "SSE-KMS" and self.kms_key_id is not None:
            yield "--storage-kms-key-id: counts only with --storage-sse SSE-KMS; give that as well, or leave it out"

    def _problems_of_size(self) -> Iterator[str]:
        if self.kept_bytes <= 0:
            yield f"--storage-cache: {self.cache_bytes} is not a size; give more than 0, such as 10GiB"
