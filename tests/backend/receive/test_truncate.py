from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import number, request, text

from vivace.backend.receive.truncate import truncated
from vivace.backend.store.decode import arrange
from vivace.backend.store.flatten import flatten


def sent(limit: int | None) -> bytes:
    """A request with long keys and texts everywhere, or what a limit leaves of it."""

    def cut(whole: str) -> str:
        return whole if limit is None else whole.encode()[:limit].decode(errors="ignore")

    message = ExportTraceServiceRequest.FromString(request(1))
    resource = message.resource_spans[0]
    resource.resource.attributes.append(text("command", cut("x" * 50)))
    resource.scope_spans[0].scope.attributes.append(text(cut("k" * 30), cut("y" * 30)))
    for span in resource.scope_spans[0].spans:
        span.attributes.append(text("statement", cut("\u00e4" * 20)))
        span.attributes.append(number(cut("n" * 21), 1))
        span.attributes.append(text("fits", "z" * 20))
        span.events[0].attributes.append(text("trace", cut("t" * 1000)))
        span.links.add().attributes.append(text("l", cut("t" * 1000)))
    return message.SerializeToString()


def test_long_keys_and_texts_are_cut_and_counted() -> None:
    batch, counts = truncated(flatten([sent(None)]), 20)
    assert stored_spans(arrange(batch)) == sent_spans([sent(20)])
    assert counts == {"resource": 1, "scope": 2, "span": 30, "event": 15, "link": 15}


def test_a_character_is_not_halved() -> None:
    batch, counts = truncated(flatten([sent(None)]), 31)
    assert stored_spans(arrange(batch)) == sent_spans([sent(31)])
    assert counts == {"resource": 1, "span": 15, "event": 15, "link": 15}


def test_what_is_short_is_left_alone() -> None:
    whole = flatten([sent(None)])
    batch, counts = truncated(whole, 5000)
    assert counts == {}
    assert batch == whole
