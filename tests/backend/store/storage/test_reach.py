"""An object store that cannot be reached, refuses, or asks for encryption; what is said then, and what is not."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from threading import Thread, Timer

import pytest
import trustme
from tests.backend.store.storage.blocks import data_folder, forget_copy, tables, written
from tests.backend.store.storage.server import SECRET, Relay, S3Server, free_port

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.errors import ConfigurationError, TargetError, VivaceError

pytestmark = pytest.mark.timeout(400)  # the server may have to be built first


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return data_folder(tmp_path / "data")


@pytest.fixture
def own_server(program: Path, tmp_path: Path, no_aws: pytest.MonkeyPatch) -> S3Server:
    """A server to be started and stopped, which the environment names."""
    server = S3Server(program, tmp_path / "s3" / "buckets")
    server.bucket("traces")
    for name, value in server.environment().items():
        no_aws.setenv(name, value)
    return server


def refusal(settings: StorageSettings, folder: DataFolder, kind: type[VivaceError] = TargetError) -> str:
    """What `claim` says, which is one line without a secret."""
    with pytest.raises(kind) as error:
        open_storage(settings, folder).claim()
    said = str(error.value)
    assert "\n" not in said
    assert SECRET not in said
    assert not (folder.root / "storage.json").exists()
    return said


def test_a_server_that_is_down_is_an_error_until_it_is_up(own_server: S3Server, folder: DataFolder) -> None:
    storage = open_storage(StorageSettings("s3://traces/prod", patience_s=0.3), folder)
    unit, later = written(folder, 1), written(folder, 2)
    own_server.start()
    try:
        storage.claim()
        storage.put(unit)
        forget_copy(folder, unit)
    finally:
        own_server.stop()
    for attempt in (
        lambda: storage.put(later),
        lambda: storage.fetch(unit),
        lambda: storage.remove(unit),
        lambda: storage.check([unit]),
        storage.restored,
    ):
        with pytest.raises(OSError, match=r"s3://traces/prod.*: cannot be reached; check AWS_ENDPOINT_URL_S3"):
            attempt()
    assert not folder.block(unit.id).exists()
    own_server.start()
    try:
        storage.put(later)
        assert set(storage.restored()) == {unit, later}
        assert storage.open(unit).tables().spans.equals(tables(1).spans)
    finally:
        own_server.stop()


def test_what_fails_is_tried_again(own_server: S3Server, folder: DataFolder) -> None:
    storage = open_storage(StorageSettings("s3://traces/prod", patience_s=60), folder)
    starter = Timer(0.5, own_server.start)
    starter.start()
    try:
        storage.claim()
        unit = written(folder, 1)
        storage.put(unit)
        assert storage.restored() == (unit,)
    finally:
        starter.join()
        own_server.stop()


def test_a_server_that_is_not_there_is_said_at_a_start(folder: DataFolder, no_aws: pytest.MonkeyPatch) -> None:
    no_aws.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
    no_aws.setenv("AWS_ACCESS_KEY_ID", "tester")
    no_aws.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    said = refusal(StorageSettings("s3://traces/prod", patience_s=0.3), folder)
    assert said == "--storage s3://traces/prod: cannot be reached; check AWS_ENDPOINT_URL_S3 and the network"


def test_wrong_credentials(server: S3Server, bucket: Path, folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = StorageSettings(f"s3://{bucket.name}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET + "?")
    assert refusal(settings, folder) == (
        f"--storage s3://{bucket.name}: refused with status 403 (SignatureDoesNotMatch);"
        " check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    assert "check AWS_ACCESS_KEY_ID" in refusal(settings, folder)


def test_no_credentials(server: S3Server, bucket: Path, folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")  # of the machine in its cloud
    said = refusal(StorageSettings(f"s3://{bucket.name}", patience_s=0.3), folder)
    assert "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said


def test_a_bucket_that_is_missing(server: S3Server, folder: DataFolder) -> None:
    assert refusal(StorageSettings("s3://no-such-bucket/prod"), folder) == (
        "--storage s3://no-such-bucket/prod: refused with status 404 (NoSuchBucket);"
        " create the bucket, or name another with --storage"
    )


def test_a_region_that_is_wrong(
    server: S3Server, bucket: Path, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert "set AWS_REGION to the region of the bucket" in refusal(StorageSettings(f"s3://{bucket.name}"), folder)


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("AWS_ENDPOINT_URL_S3", "localhost:9000", "is not the address of a server; give http://HOST:PORT"),
        ("AWS_ENDPOINT_URL", "not an address", "is not the address of a server"),
        ("AWS_CA_BUNDLE", "/no/such/file", "AWS_CA_BUNDLE: /no/such/file: cannot be read"),
        ("AWS_CA_BUNDLE", "/dev/null", "look at the AWS_ variables of the environment"),
        ("AWS_SERVER_SIDE_ENCRYPTION", "rot13", "look at the AWS_ variables of the environment"),
    ],
)
def test_an_environment_that_cannot_be(
    folder: DataFolder, no_aws: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    no_aws.setenv(variable, value)
    assert line in refusal(StorageSettings("s3://traces"), folder, ConfigurationError)


KMS = (
    b"x-amz-server-side-encryption: aws:kms\r\n",
    b"x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:eu:1:key/ab\r\n",
)


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        (StorageSettings("s3://bucket", sse="SSE-KMS", kms_key_id="arn:aws:kms:eu:1:key/ab"), KMS),
        (StorageSettings("s3://bucket", sse="SSE-S3"), (b"x-amz-server-side-encryption: AES256\r\n",)),
        (StorageSettings("s3://bucket"), ()),
    ],
)
def test_encryption_is_asked_for_with_every_object(
    server: S3Server, bucket: Path, folder: DataFolder, settings: StorageSettings, headers: tuple[bytes, ...]
) -> None:
    relay = Relay(server.port)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{relay.port}")
        storage = open_storage(replace(settings, where=f"s3://{bucket.name}/prod"), folder)
    storage.claim()
    unit = written(folder, 1)
    storage.put(unit)
    forget_copy(folder, unit)
    assert storage.open(unit).tables().spans.equals(tables(1).spans)
    relay.close()
    assert relay.sent.count(b"PUT /") == 9
    for header in headers:
        assert relay.sent.count(header) == 9
    assert (b"x-amz-server-side-encryption" in relay.sent) == bool(headers)


def test_a_server_with_a_certificate_by_an_authority_of_its_own(
    program: Path, tmp_path: Path, folder: DataFolder, no_aws: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for part in certificate.cert_chain_pems:
        part.write_to_path(tmp_path / "cert.pem", append=True)
    server = S3Server(program, tmp_path / "s3" / "buckets", tmp_path / "cert.pem", tmp_path / "key.pem")
    server.bucket("traces")
    for name, value in server.environment().items():
        no_aws.setenv(name, value)
    server.start()
    try:
        assert "give that of its authority as AWS_CA_BUNDLE" in refusal(
            StorageSettings("s3://traces", patience_s=0.3), folder
        )
        no_aws.setenv("AWS_CA_BUNDLE", str(tmp_path / "authority.pem"))
        storage = open_storage(StorageSettings("s3://traces"), folder)
        storage.claim()
        unit = written(folder, 1)
        storage.put(unit)
        assert storage.restored() == (unit,)
    finally:
        server.stop()


@pytest.mark.parametrize(("hangs", "line"), [(False, "cannot be reached"), (True, "did not answer in time")])
def test_a_server_that_hangs_or_hangs_up_is_an_error(
    folder: DataFolder, no_aws: pytest.MonkeyPatch, hangs: bool, line: str
) -> None:
    def take_calls() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if hangs:
                held.append(client)
            else:
                client.close()

    held: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=take_calls)
    thread.start()
    no_aws.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{listener.getsockname()[1]}")
    no_aws.setenv("AWS_ACCESS_KEY_ID", "tester")
    no_aws.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    try:
        assert line in refusal(StorageSettings("s3://traces", patience_s=0.3), folder)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in (listener, *held):
            connection.close()
