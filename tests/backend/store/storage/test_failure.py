"""What object stores say -> what people are told."""

from __future__ import annotations

import errno

import pytest

from vivace.backend.store.storage.failure import NoObject, StorageFailure, failure

ANSWER = (
    "Generic S3 error: Error performing GET http://h/b/k in 1ms - Server returned non-2xx status code: {} Oh: <?xml"
    ' version="1.0"?>\n<Error><Code>{}</Code><Message>secret</Message></Error>\n\nDebug source:\n...'
)


def test_only_a_missing_object_is_a_missing_file() -> None:
    assert isinstance(failure(FileNotFoundError(ANSWER.format(404, "NoSuchKey")), "s3://b/k"), NoObject)
    for code in ("NoSuchBucket", "XAdminUserNotFound"):  # the client takes every 404 for a missing object
        assert not isinstance(failure(FileNotFoundError(ANSWER.format(404, code)), "s3://b/k"), FileNotFoundError)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (403, "AccessDenied", "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (301, "PermanentRedirect", "set AWS_REGION"),
        (403, "RequestTimeTooSkewed", "set this machine's clock"),
        (503, "SlowDown", "try again"),
        (400, "KMS.DisabledException", "look at the key that --storage-kms-key-id names"),
        (400, "InvalidRequest", "look at the object store's own messages"),
    ],
)
def test_a_refusal_has_a_status_a_code_and_a_remedy(status: int, code: str, remedy: str) -> None:
    failed = failure(ValueError(ANSWER.format(status, code)), "s3://b/k")
    assert isinstance(failed, StorageFailure)
    assert str(failed).startswith(f"s3://b/k: refused with status {status} ({code}); {remedy}")
    assert failed.status == str(status)
    assert "secret" not in str(failed)
    assert "\n" not in str(failed)


def test_an_error_without_an_answer_says_what_it_can() -> None:
    failed = failure(
        ValueError("Generic S3 error: Error performing GET http://h in 1ms - HTTP error: odd\n\nmore"), "b"
    )
    assert str(failed) == "b: failed (HTTP error: odd); check AWS_ENDPOINT_URL_S3 and the network"
    assert failed.status == "error"


def test_a_failure_is_told_from_damage_by_its_number() -> None:
    numbers = {
        failure(ValueError(ANSWER.format(status, "Code")), "b").errno for status in (400, 401, 403, 404, 416, 500)
    } | {failure(ValueError("nothing"), "b").errno}
    assert numbers == {errno.EIO, errno.EACCES, errno.ENOENT, errno.EHOSTUNREACH}
