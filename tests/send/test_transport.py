"""The way to a target checks itself whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.errors import ConfigurationError
from vivace.send.transport import OtlpProtocol, Tls, Transport


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"endpoints": ()}, "endpoint: none is given"),
        ({"endpoints": ("127.0.0.1",)}, "endpoint: '127.0.0.1' is not host:port"),
        ({"endpoints": ("http://127.0.0.1:4317",)}, "endpoint: 'http://127.0.0.1:4317' is not host:port"),
        ({"endpoints": ("h:1", "h:65536")}, "endpoint: 'h:65536' is not host:port"),
        ({"timeout_s": 0.0}, "timeout: 0.0 is not above zero"),
        ({"prefix": "/otlp"}, "prefix: gRPC has no paths"),
        ({"prefix": "otlp/", "protocol": OtlpProtocol.HTTP_JSON}, "prefix: 'otlp/' is no path"),
        ({"tls": Tls(ca_file=Path("/nowhere/ca.pem"))}, "ca_file: /nowhere/ca.pem is not a file"),
        ({"tls": Tls(cert_file=Path(__file__))}, "key_file: missing beside cert_file"),
        ({"tls": Tls(key_file=Path(__file__))}, "cert_file: missing beside key_file"),
        ({"headers": {"x y": "1"}}, "headers: 'x y' is no header's name"),
        ({"headers": {"grpc-timeout": "1"}}, "headers: 'grpc-timeout' is no header's name"),
        ({"headers": {"Content-Length": "1"}}, "headers: 'Content-Length' follows from the request"),
        ({"headers": {"x": "a\nb"}}, "headers: the value of 'x' has characters"),
        ({"headers": {"x": "a" * 9000}}, "headers: 9001 bytes are too many"),
        ({"token_file": Path("/nowhere/token")}, "token_file: /nowhere/token: it cannot be read"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Transport(**{"endpoints": ("127.0.0.1:4317",)} | wrong)  # type: ignore[arg-type]
    [line] = str(caught.value).splitlines()
    assert words in line
    assert "; " in line


@pytest.mark.parametrize("content", ["", "\n", "two words", "m\u00e4\u00dfig", "a\nb"])
def test_a_token_file_holds_the_token_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match="it holds no token; give a file that holds the token alone"):
        Transport(endpoints=("h:1",), token_file=path)


def test_a_token_beside_an_authorization_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret\n")
    with pytest.raises(ConfigurationError, match="'authorization' is given beside token_file"):
        Transport(endpoints=("h:1",), token_file=path, headers={"Authorization": "Bearer other"})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Transport(endpoints=("here", "there"), timeout_s=-1.0, headers={"te": "trailers"})
    assert len(str(caught.value).splitlines()) == 4
