"""Recognises by its first words a peer that speaks something else, and says what to do."""

from __future__ import annotations

TLS_ALERT = b"\x15\x03"
HTTP1 = b"HTTP/1"
HTTP2_SETTINGS = 4
FRAME_KIND = 3


def what_else(first: bytes, expected: str) -> str:
    """One line about a peer whose first words are not those of the expected protocol."""
    if first.startswith(TLS_ALERT):
        return "the target speaks TLS there; leave out insecure: true"
    if first.startswith(HTTP1):
        return "the target speaks HTTP/1.1 there, not gRPC; set protocol: http/protobuf, or give its port for gRPC"
    if len(first) > FRAME_KIND and first[0] == 0 and first[FRAME_KIND] == HTTP2_SETTINGS:
        return "the target speaks gRPC there, not HTTP/1.1; set protocol: grpc, or give its port for HTTP"
    return f"its first words are not {expected}"
