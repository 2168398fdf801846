"""What an object store or the way to it says -> an OSError of one line with a remedy, and nothing secret in it."""

from __future__ import annotations

import errno
import re
from typing import Final

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>([\w.]+)</Code>")
_METADATA: Final = re.compile(r"/latest/(api/token|meta-data)")
"""Where a machine in a cloud is asked for credentials, when the environment has none."""

_ACCESS: Final = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do"
_REGION: Final = "set AWS_REGION to the region of the bucket"
_REMEDIES: Final = {
    "NoSuchBucket": "create the bucket, or name another with --storage",
    "InvalidBucketName": "name another bucket with --storage",
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "XAdminUserNotFound": _ACCESS,
    "RequestTimeTooSkewed": "set this machine's clock",
}


class StorageFailure(OSError):
    """An object store did not do what it was asked; it may be asked again. It has an errno, as no damage has."""

    def __init__(self, place: str, reason: str, remedy: str, status: str) -> None:
        super().__init__(f"{place}: {reason}; {remedy}")
        self.errno = self._errno(status)
        self.reason = reason
        self.remedy = remedy
        self.status = status
        """Of the HTTP answer, or "error" when there was none."""

    @property
    def answered(self) -> bool:
        """Whether it can be reached, and refused; it may do so to this request alone."""
        return self.status != "error"

    @staticmethod
    def _errno(status: str) -> int:
        known = {"error": errno.EHOSTUNREACH, "401": errno.EACCES, "403": errno.EACCES, "404": errno.ENOENT}
        return known.get(status, errno.EIO)


class NoObject(StorageFailure, FileNotFoundError):
    """There is no object under a key."""


class NotWhole(FileNotFoundError):
    """A block of which a part is missing in the object store, or is not as it was."""


def failure(error: Exception, place: str) -> StorageFailure:
    """What an exception of the object store's client means. A bucket that is missing is no object that is missing."""
    text = str(error)
    status = match.group(1) if (match := _STATUS.search(text)) else "error"
    code = match.group(1) if (match := _CODE.search(text)) else None
    if code == "NoSuchKey":
        return NoObject(place, "there is no such object", "look who else removes objects there", status)
    if _METADATA.search(text):
        return StorageFailure(
            place, "there are no credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", status
        )
    if status == "error" and "certificate" in text.lower():
        remedy = "give that of its authority as AWS_CA_BUNDLE"
        return StorageFailure(place, "its certificate is not trusted", remedy, status)
    if status == "error":
        return StorageFailure(place, _without_answer(text), "check AWS_ENDPOINT_URL_S3 and the network", status)
    reason = f"refused with status {status}" + (f" ({code})" if code else "")
    return StorageFailure(place, reason, _remedy(status, code), status)


def _without_answer(text: str) -> str:
    if "kind: Timeout" in text:
        return "did not answer in time"
    if "error sending request" in text:
        return "cannot be reached"
    return "failed (" + text.split("\n", 1)[0].rpartition(" - ")[2] + ")"


def _remedy(status: str, code: str | None) -> str:
    if code is not None and code in _REMEDIES:
        return _REMEDIES[code]
    if code is not None and code.startswith("KMS."):
        return "look at the key that --storage-kms-key-id names"
    if status in {"401", "403"}:
        return _ACCESS
    return "try again" if status.startswith("5") or status == "429" else "look at the object store's own messages"
