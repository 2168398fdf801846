from __future__ import annotations

import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from tests.backend.access.servers import Ports, serving

from vivace.backend.access.access import Access
from vivace.backend.access.tokens import Tokens
from vivace.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text("# who may call\nfirst-token # Grafana\n\nsecond.token~+/=\n", encoding="utf-8")
    return path


def test_good_tokens_are_those_of_the_file(file: Path) -> None:
    tokens = Tokens(file)
    for shown in ("Bearer first-token", "bearer second.token~+/="):
        assert tokens.allows(shown)
    for shown in ("", "first-token", "Basic first-token", "Bearer", "Bearer ", "Bearer first", "Bearer Grafana"):
        assert not tokens.allows(shown)
    assert not tokens.allows(None)


def test_a_changed_file_is_read_again_unless_it_is_bad(file: Path) -> None:
    reports: list[str] = []
    tokens = Tokens(file, reports.append)
    file.write_text("third-token", encoding="utf-8")
    tokens.look()
    assert tokens.allows("Bearer third-token")
    assert not tokens.allows("Bearer first-token")
    assert reports == []
    for change in (lambda: file.write_text("# none", encoding="utf-8"), file.unlink):
        change()
        for _ in range(3):
            tokens.look()
        assert tokens.allows("Bearer third-token")
    assert [report.endswith("the tokens stay as they were") for report in reports] == [True, True]


BAD = {
    "empty": (b"", "has no token"),
    "comments alone": (b"# nobody\n", "has no token"),
    "two on a line": (b"good\none two\n", ":2: is no bearer token"),
    "not ASCII": ("p\u00e4ss".encode(), ":1: is no bearer token"),
    "not text": (b"\xff\xfe", "cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_without_their_secrets(tmp_path: Path, case: str) -> None:
    content, words = BAD[case]
    path = tmp_path / "tokens"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as error:
        Tokens(path)
    assert words in str(error.value)
    assert "one two" not in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Tokens(tmp_path / "missing")


def get(ports: Ports, path: str, headers: dict[str, str]) -> tuple[int, str, str | None]:
    request = urllib.request.Request(f"http://127.0.0.1:{ports.http}{path}", headers=headers)
    try:
        with closing(urllib.request.urlopen(request, timeout=20)) as answer:  # noqa: S310 - http, on this machine
            return answer.status, answer.read().decode(), None
    except urllib.error.HTTPError as error:
        with closing(error):
            return error.code, error.read().decode(), error.headers["www-authenticate"]


def call(ports: Ports, *metadata: tuple[str, str]) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
        greet: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test/greet")
        return greet(b"you", timeout=20, metadata=metadata)


def test_servers_want_a_token(file: Path) -> None:
    with serving(Access(tokens=Tokens(file))) as ports:
        assert get(ports, "/hello", {}) == (401, "unauthorized", "Bearer")
        assert get(ports, "/hello", {"Authorization": "Bearer wrong"}) == (401, "unauthorized", "Bearer")
        assert get(ports, "/hello", {"Authorization": "Bearer first-token"})[0] == 200
        assert get(ports, "/ready", {})[0] == 200
        assert call(ports, ("authorization", "Bearer first-token")) == b"hello you"
        for metadata in ((), (("authorization", "Bearer wrong"),)):
            with pytest.raises(grpc.RpcError, match="unauthorized") as error:
                call(ports, *metadata)
            assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
