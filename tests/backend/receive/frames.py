"""HTTP/2 by hand: what no client library would send."""

from __future__ import annotations

import socket

from tests.backend.receive.conftest import EXPORT

FRAME_BYTES = 16_384
WINDOW_BYTES = 65_535
WINDOW_UPDATE = 8


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def called(port: int, gzip: bool = False) -> socket.socket:
    """A connection on which a call has begun; the message is to follow as data of stream 1."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": EXPORT,
        ":authority": "test",
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-encoding": "gzip" if gzip else "identity",
    }
    block = b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in headers.items()
    )
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 4, 1, block))
    return connection


def send_flow_controlled(connection: socket.socket, data: bytes) -> None:
    """Sends data of stream 1 as the server's window for the connection lets it, until the server has enough."""
    window = WINDOW_BYTES
    for start in range(0, len(data), FRAME_BYTES):
        part = data[start : start + FRAME_BYTES]
        while window < len(part):
            granted = _granted(connection)
            if granted is None:
                return
            window += granted
        connection.sendall(frame(0, 0, 1, part))
        window -= len(part)


def _granted(connection: socket.socket) -> int | None:
    """What the next frame adds to the connection's window; None when it ends the call."""
    head = connection.recv(9, socket.MSG_WAITALL)
    payload = connection.recv(int.from_bytes(head[:3]), socket.MSG_WAITALL) if head[:3] != bytes(3) else b""
    if head[3] in {1, 3, 7}:
        return None
    return int.from_bytes(payload) if head[3] == WINDOW_UPDATE and head[5:] == bytes(4) else 0
