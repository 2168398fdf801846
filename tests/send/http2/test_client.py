"""The client's side against peers with every kind of limit: nothing is lost, nothing exceeds what is allowed."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.send.call import Call
from vivace.send.connection import ProtocolError
from vivace.send.http2.client import AHEAD, ClientConnection
from vivace.send.http2.frames import (
    DEFAULT_FRAME,
    DEFAULT_WINDOW,
    PREFACE,
    Code,
    Flag,
    FrameReader,
    Kind,
    Setting,
    frame,
    window_update,
)
from vivace.send.http2.frames import settings as settings_frame
from vivace.send.http2.headers import HeaderReader, plain_block
from vivace.send.sink.grpc_server import ServerConnection
from vivace.send.sink.messages import success_message
from vivace.send.sink.request import Reply

FIELDS = [(b":method", b"POST"), (b":path", b"/service/Method"), (b"x", b"y")]
OK = plain_block([(b":status", b"200"), (b"grpc-status", b"0")])


def take_output(connection: ClientConnection, most: int = 1 << 30) -> bytes:
    """Writes up to so many bytes."""
    data = b"".join(connection.output())[:most]
    connection.written(len(data))
    return data


def feed(connection: ClientConnection, data: bytes) -> None:
    reader = FrameReader()
    for at in range(0, len(data), 1 << 14):
        piece = data[at : at + (1 << 14)]
        reader.room()[: len(piece)] = piece
        connection.received(reader.received(len(piece)))


def opened(*calls: Call, values: dict[Setting, int] | None = None) -> ClientConnection:
    """A connection to a peer with these settings, and calls that wait to be sent."""
    connection = ClientConnection(FIELDS)
    feed(connection, settings_frame(values or {}))
    for call in calls:
        connection.open(call)
    return connection


class StrictPeer:
    """Checks each frame against the limits that it gave, and puts the messages together."""

    def __init__(self, values: dict[Setting, int]) -> None:
        self.values = values
        self.window = DEFAULT_WINDOW
        self.windows: dict[int, int] = {}
        self.messages: dict[int, bytes] = {}
        self.complete: set[int] = set()
        self.acknowledged = 0
        self._reader = FrameReader(values.get(Setting.MAX_FRAME_SIZE, DEFAULT_FRAME), preface=PREFACE)
        self._headers = HeaderReader()

    def take(self, data: bytes) -> None:
        for at in range(0, len(data), 1 << 14):
            piece = data[at : at + (1 << 14)]
            self._reader.room()[: len(piece)] = piece
            for one in self._reader.received(len(piece)):
                self._take_frame(one.kind, one.flags, one.stream, bytes(one.payload))

    def _take_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        assert len(payload) <= self.values.get(Setting.MAX_FRAME_SIZE, DEFAULT_FRAME)
        if kind == Kind.SETTINGS and flags & Flag.ACK:
            self.acknowledged += 1
        elif kind == Kind.HEADERS:
            assert stream % 2 == 1
            assert stream > max(self.messages, default=0)
            assert list(self._headers.read(payload)) == FIELDS
            open_streams = len(self.messages) - len(self.complete)
            assert open_streams < self.values.get(Setting.MAX_CONCURRENT_STREAMS, 1 << 30)
            self.messages[stream] = b""
            self.windows[stream] = self.values.get(Setting.INITIAL_WINDOW_SIZE, DEFAULT_WINDOW)
        elif kind == Kind.DATA:
            self.window -= len(payload)
            self.windows[stream] -= len(payload)
            assert min(self.window, self.windows[stream]) >= 0
            self.messages[stream] += payload
            if flags & Flag.END_STREAM:
                self.complete.add(stream)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 100_000), min_size=1, max_size=12),
    st.integers(0, 100_000),
    st.sampled_from([16_384, 20_000, 1 << 20]),
    st.integers(1, 20),
    st.integers(0, 1 << 32),
)
def test_messages_arrive_whole_within_every_limit(
    sizes: list[int], initial_window: int, largest_frame: int, most_streams: int, seed: int
) -> None:
    draw = random.Random(seed)  # noqa: S311 - bytes to send, no secret
    calls = [Call(draw.randbytes(size)) for size in sizes]
    values = {
        Setting.INITIAL_WINDOW_SIZE: initial_window,
        Setting.MAX_FRAME_SIZE: largest_frame,
        Setting.MAX_CONCURRENT_STREAMS: most_streams,
    }
    peer = StrictPeer(values)
    connection = opened(*calls, values=values)
    answered: set[int] = set()
    for _ in range(10_000):
        peer.take(take_output(connection, draw.randrange(1, 200_000)))
        if len(answered) == len(calls):
            break
        for stream in peer.complete - answered:
            answered.add(stream)
            end = Flag.END_HEADERS | Flag.END_STREAM
            feed(connection, frame(Kind.HEADERS, end, stream, OK))
        for stream in peer.messages.keys() - peer.complete:
            increment = draw.randrange(1, 50_000)
            peer.windows[stream] += increment
            feed(connection, window_update(stream, increment))
        increment = draw.randrange(1, 100_000)
        peer.window += increment
        feed(connection, window_update(0, increment))
    streams = sorted(peer.messages)
    expected = [b"\0" + struct.pack(">I", size) for size in sizes]
    assert [peer.messages[stream][:5] for stream in streams] == expected
    assert sorted(connection.ended, key=lambda call: call.stream) == calls
    assert peer.acknowledged == 1
    assert connection.calls() == []


def test_payloads_arrive_as_they_are_in_any_pieces() -> None:
    payload = bytes(range(256)) * 1200
    connection, server = opened(Call(payload)), ServerConnection(keep_bodies=True)
    feed(connection, b"".join(server.output))
    server.output.clear()
    reader = FrameReader(1 << 18, preface=PREFACE)
    while not server.requests:
        data = take_output(connection, 7_001)
        reader.room()[: len(data)] = data
        server.received(reader.received(len(data)))
    assert bytes(server.requests[0].body) == payload
    assert server.requests[0].path == "/service/Method"
    reply = Reply(words="answer", rejected=1)
    server.reply(server.requests[0], reply)
    feed(connection, b"".join(server.output))
    assert connection.ended[0].body[5:] == success_message(reply) != b""


def test_windows_that_shrink_are_made_up_for_before_more_is_sent() -> None:
    call = Call(bytes(50_000))
    connection = opened(call, values={Setting.INITIAL_WINDOW_SIZE: 10_000})
    assert call.unsent == 50_005
    take_output(connection)
    assert call.unsent == 40_005
    feed(connection, settings_frame({Setting.INITIAL_WINDOW_SIZE: 4_000}))
    feed(connection, window_update(1, 6_000))
    take_output(connection)
    assert call.unsent == 40_005
    feed(connection, window_update(1, 1))
    take_output(connection)
    assert call.unsent == 40_004
    feed(connection, settings_frame({Setting.INITIAL_WINDOW_SIZE: 60_000}))
    take_output(connection)
    assert call.unsent == 0


def test_no_more_is_queued_than_a_little_ahead_of_the_socket() -> None:
    values = {Setting.INITIAL_WINDOW_SIZE: (1 << 31) - 1}
    connection = opened(Call(bytes(50_000_000)), values=values)
    feed(connection, window_update(0, (1 << 31) - 1 - DEFAULT_WINDOW))
    assert sum(map(len, connection.output())) < AHEAD + (1 << 18)


def test_delivered_means_that_the_last_byte_is_written() -> None:
    call = Call(b"payload")
    connection = opened(call)
    size = sum(map(len, connection.output()))
    connection.written(size - 1)
    assert not connection.delivered(call)
    connection.written(1)
    assert connection.delivered(call)


def test_an_answer_that_comes_before_all_is_sent_ends_the_sending() -> None:
    call, other = Call(bytes(100_000)), Call(b"next")
    connection = opened(call, other)
    take_output(connection)
    block = plain_block([(b":status", b"200"), (b"grpc-status", b"8")])
    feed(connection, frame(Kind.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, block))
    assert connection.ended == [call]
    assert frame(Kind.RST_STREAM, stream=1, payload=struct.pack(">I", Code.NO_ERROR)) in take_output(connection)
    feed(connection, window_update(0, 100))
    assert b"next" in take_output(connection)


def test_a_call_that_is_abandoned_is_cancelled_and_its_answer_ignored() -> None:
    call, waiting = Call(b"one"), Call(b"two")
    connection = opened(call, waiting, values={Setting.MAX_CONCURRENT_STREAMS: 1})
    take_output(connection)
    connection.abandon(waiting)
    connection.abandon(call)
    assert take_output(connection) == frame(Kind.RST_STREAM, stream=1, payload=struct.pack(">I", Code.CANCEL))
    feed(connection, frame(Kind.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, OK))
    assert connection.ended == []
    assert connection.calls() == []


def test_a_peer_that_goes_away_says_what_it_will_not_answer() -> None:
    first, second, third = Call(b"1"), Call(b"2"), Call(b"3")
    connection = opened(first, second)
    take_output(connection)
    feed(connection, frame(Kind.GOAWAY, payload=struct.pack(">II", 1, 0)))
    connection.open(third)
    assert connection.closing
    assert connection.ended == [second]
    assert second.reset == Code.REFUSED_STREAM
    assert connection.unopened() == [third]
    feed(connection, frame(Kind.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, OK))
    assert connection.ended == [second, first]


def test_headers_may_come_in_several_frames() -> None:
    call = Call(b"1")
    connection = opened(call)
    take_output(connection)
    feed(connection, frame(Kind.HEADERS, Flag.END_STREAM, 1, OK[:4]))
    feed(connection, frame(Kind.CONTINUATION, 0, 1, OK[4:9]))
    feed(connection, frame(Kind.CONTINUATION, Flag.END_HEADERS, 1, OK[9:]))
    assert connection.ended == [call]
    assert dict(call.headers)[b"grpc-status"] == b"0"


def test_pings_are_answered() -> None:
    connection = opened()
    take_output(connection)
    feed(connection, frame(Kind.PING, payload=b"12345678"))
    assert take_output(connection) == frame(Kind.PING, Flag.ACK, payload=b"12345678")
    feed(connection, frame(Kind.PING, Flag.ACK, payload=b"12345678"))
    assert take_output(connection) == b""


def test_nothing_is_sent_before_the_peer_has_introduced_itself() -> None:
    connection = ClientConnection(FIELDS)
    connection.open(Call(b"payload"))
    assert b"payload" not in take_output(connection)
    feed(connection, settings_frame({}))
    assert b"payload" in take_output(connection)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(Kind.PING, payload=bytes(8)), id="not settings first"),
        pytest.param(
            settings_frame({}) + frame(Kind.HEADERS, 0, 1, OK) + frame(Kind.DATA, 0, 1), id="headers interrupted"
        ),
        pytest.param(settings_frame({}) + frame(Kind.CONTINUATION, 0, 1), id="nothing to continue"),
        pytest.param(settings_frame({}) + frame(Kind.GOAWAY, payload=b"12"), id="short goaway"),
        pytest.param(settings_frame({}) + frame(Kind.HEADERS, Flag.END_HEADERS, 1, b"\xff"), id="broken headers"),
    ],
)
def test_what_is_not_http2_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        feed(ClientConnection(FIELDS), data)
