from __future__ import annotations

import random
from collections import Counter
from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from tests.backend.store.rebuild import distinct_spans, sent_spans, stored_spans
from tests.backend.store.sample import request
from tests.backend.store.strategies import REQUESTS

from vivace.backend.store.decode import decode
from vivace.backend.store.otlp import Refused


@given(st.lists(REQUESTS, max_size=3))
@settings(max_examples=40, deadline=None)
def test_what_is_decoded_is_what_was_sent(requests: list[bytes]) -> None:
    assert stored_spans(decode(requests)) == distinct_spans(requests)


@given(st.lists(REQUESTS, max_size=3), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_nothing_is_lost_beyond_the_bound_on_columns(requests: list[bytes], bound: int) -> None:
    assert stored_spans(decode(requests, attribute_columns=bound)) == distinct_spans(requests)


def damaged(randomness: random.Random) -> bytes:
    """A valid request with a few bytes changed, added, left out or repeated."""
    contents = bytearray(request(1, traces=1, spans=2))
    whole = bytes(contents)
    for _ in range(randomness.randint(1, 3)):
        place, change = randomness.randrange(len(contents)), randomness.random()
        if change < 0.8:
            contents[place] = randomness.choice([randomness.randrange(256), 0x0A, 0x12, 0x80, 0xFF, 0, 1, 2, 5])
        elif change < 0.9:
            del contents[place]
        else:
            contents += whole
    return bytes(contents)


def test_damaged_requests_are_refused_or_decoded_as_protobuf_does() -> None:
    randomness = random.Random(5)  # noqa: S311 - not for secrets
    decoded = refused = 0
    for _ in range(600):
        contents = damaged(randomness)
        try:
            tables = decode([contents])
        except Refused:
            refused += 1
            continue
        try:
            ExportTraceServiceRequest.FromString(contents)
        except DecodeError:  # a length written in more bytes than needed
            continue
        assert known(stored_spans(tables)) == Counter(known(sent_spans([contents])).keys())
        decoded += 1
    assert decoded > 50
    assert refused > 50


def known(spans: Counter[bytes]) -> Counter[bytes]:
    """Without fields that OTLP does not know, and without those of profiles alone."""
    found: Counter[bytes] = Counter()
    for encoded, count in spans.items():
        alone = ResourceSpans.FromString(encoded)
        alone.DiscardUnknownFields()
        scope_spans = alone.scope_spans[0]
        span = scope_spans.spans[0]
        holders: tuple[Any, ...] = (alone.resource, scope_spans.scope, span, *span.events, *span.links)
        for attribute in (attribute for holder in holders for attribute in holder.attributes):
            attribute.ClearField("key_strindex")
        found[alone.SerializeToString(deterministic=True)] += count
    return found
