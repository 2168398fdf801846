"""What can be said of where blocks are kept, and what cannot."""

from __future__ import annotations

from typing import Any

import pytest

from vivace.backend.store.storage.settings import StorageSettings
from vivace.errors import ConfigurationError


@pytest.mark.parametrize(
    ("where", "bucket", "prefix"),
    [("s3://traces", "traces", ""), ("s3://traces/", "traces", ""), ("s3://tra.ces-1/a/b-2/", "tra.ces-1", "a/b-2")],
)
def test_an_address_is_a_bucket_and_a_prefix(where: str, bucket: str, prefix: str) -> None:
    settings = StorageSettings(where)
    assert (settings.bucket, settings.prefix) == (bucket, prefix)


def test_encryption_is_asked_for_whole() -> None:
    assert StorageSettings("s3://traces", sse="SSE-KMS", kms_key_id="arn:aws:kms:x").kms_key_id == "arn:aws:kms:x"
    assert StorageSettings("s3://traces", sse="SSE-S3").sse == "SSE-S3"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"where": "/var/blocks"}, '--storage: "/var/blocks" is not an address of an S3 bucket; give s3://BUCKET'),
        ({"where": "https://traces"}, '--storage: "https://traces" is not an address'),
        ({"where": "s3:///prefix"}, '--storage: "" is not the name of a bucket'),
        ({"where": "s3://Traces"}, '--storage: "Traces" is not the name of a bucket'),
        ({"where": "s3://traces/a/../b"}, '--storage: "a/../b" cannot be a prefix'),
        ({"where": "s3://traces/a//b"}, '--storage: "a//b" cannot be a prefix'),
        ({"where": "s3://traces/a?region=x"}, "has more than a bucket and a prefix"),
        ({"where": "s3://traces", "sse": "SSE-C"}, '--storage-sse: "SSE-C" is not known; give SSE-S3 or SSE-KMS'),
        ({"where": "s3://traces", "sse": "SSE-KMS"}, "--storage-kms-key-id: is missing"),
        ({"where": "s3://traces", "kms_key_id": "x"}, "--storage-kms-key-id: counts only with --storage-sse SSE-KMS"),
        ({"where": "s3://traces", "cache_bytes": 0}, "--storage-cache: 0 is not a size"),
        ({"sse": "SSE-S3"}, "--storage-sse: counts only with an object store; give --storage"),
        ({"cache_bytes": 10 << 30}, "--storage-cache: counts only with an object store; give --storage"),
        ({"adopt": True}, "--storage-adopt: counts only with an object store; give --storage"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        StorageSettings(**given)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as error:
        StorageSettings("traces", sse="none", cache_bytes=-1)
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "--storage",
        "--storage-sse",
        "--storage-cache",
    ]


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as error:
        StorageSettings("s3://key:secret@traces/prefix")
    assert "AWS_ACCESS_KEY_ID" in str(error.value)
    assert "secret" not in str(error.value)
