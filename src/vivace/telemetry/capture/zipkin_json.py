"""Spans as Zipkin's API version 2 writes them: `[{"traceId", "id", ...}]`, or an array of such arrays.

Zipkin lets client and server share a span, with one ID. OTLP does not: the server's half becomes a child of the
client's, with an ID of its own, and what the server called becomes a child of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from vivace.telemetry.capture.batches import Arguments, Batches, Tags, attributes, taken
from vivace.telemetry.capture.fields import Fields, converted
from vivace.telemetry.capture.identifiers import SPAN_BYTES, TRACE_BYTES, padded
from vivace.telemetry.capture.json_message import INT64, UINT64, boolean, text
from vivace.telemetry.capture.microseconds import interval, moment
from vivace.telemetry.capture.otlp import Telemetry
from vivace.telemetry.capture.refusal import Malformed

STATUS: Final = {
    "OK": Status.STATUS_CODE_OK,
    "ERROR": Status.STATUS_CODE_ERROR,
    "STATUS_CODE_OK": Status.STATUS_CODE_OK,
    "STATUS_CODE_ERROR": Status.STATUS_CODE_ERROR,
}
KINDS: Final = {
    "CLIENT": Span.SPAN_KIND_CLIENT,
    "SERVER": Span.SPAN_KIND_SERVER,
    "PRODUCER": Span.SPAN_KIND_PRODUCER,
    "CONSUMER": Span.SPAN_KIND_CONSUMER,
}
Key: TypeAlias = tuple[bytes, bytes]
"""Trace ID and span ID."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells the halves of a shared span apart."""

    key: Key
    parent: bytes
    service: str
    kind: str
    shared: bool


def accepts(document: object) -> bool:
    """Whether the document is of this format; a span by itself is, too."""
    for _ in range(2):
        document = document[0] if isinstance(document, list) and document else document
    return isinstance(document, dict) and "traceId" in document and "id" in document


def read(document: object) -> Iterator[Telemetry]:
    """Its spans, one message for each array of spans. Raises Malformed."""
    if isinstance(document, list) and document and isinstance(document[0], list):
        for index, spans in enumerate(document):
            try:
                yield _message(spans)
            except Malformed as error:
                raise error.within(index) from error
    else:
        yield _message(document if isinstance(document, list) else [document])


def _message(spans: object) -> TracesData:
    identities = converted(spans, _identity)
    halves = _halves(identities)
    batches = Batches()
    for identity, (resource, scope, span) in zip(identities, converted(spans, _span), strict=True):
        batches.add(resource, scope, span | _ids(identity, halves))
    return batches.message()


def _identity(span: Fields) -> Identity:
    local = span.optional("localEndpoint", Fields, Fields({}))
    key = span.required("traceId", _trace_id), span.required("id", _span_id)
    return Identity(
        key,
        span.optional("parentId", _span_id, b""),
        local.optional("serviceName", text, ""),
        span.optional("kind", text, "").upper(),
        span.optional("shared", boolean, False),
    )


def _halves(identities: list[Identity]) -> dict[tuple[Key, str], bytes]:
    """By span and service: the new IDs of servers' halves whose client's half is here as well."""
    clients = {identity.key for identity in identities if identity.kind == "CLIENT" and not identity.shared}
    return {
        (identity.key, identity.service): _derived(*identity.key, identity.service.encode())
        for identity in identities
        if identity.kind == "SERVER" and identity.key in clients
    }


def _derived(*parts: bytes) -> bytes:
    return blake2b(b"/".join(parts), digest_size=SPAN_BYTES).digest()


def _ids(identity: Identity, halves: dict[tuple[Key, str], bytes]) -> Arguments:
    trace_id, span_id = identity.key
    own = halves.get((identity.key, identity.service)) if identity.kind == "SERVER" else None
    if own is not None:
        return {"trace_id": trace_id, "span_id": own, "parent_span_id": span_id}
    parent = halves.get(((trace_id, identity.parent), identity.service), identity.parent)
    return {"trace_id": trace_id, "span_id": span_id, "parent_span_id": parent}


def _span(span: Fields) -> tuple[Tags, tuple[str, str], Arguments]:
    """Resource, scope, and the span but for its IDs."""
    tags: Tags = span.optional("tags", _tags, {})
    name = taken(tags, "otel.scope.name", "otel.library.name")
    version = taken(tags, "otel.scope.version", "otel.library.version")
    local = span.optional("localEndpoint", Fields, Fields({}))
    remote = span.optional("remoteEndpoint", Fields, Fields({}))
    start, end = interval(span.optional("timestamp", UINT64, 0), span.optional("duration", INT64, 0))
    status = _status(tags)
    kind = span.optional("kind", text, "") or taken(tags, "span.kind")
    arguments: Arguments = {
        "name": span.optional("name", text, ""),
        "kind": Span.SPAN_KIND_INTERNAL if kind == "internal" else KINDS.get(kind.upper(), 0),
        "trace_state": taken(tags, "w3c.tracestate"),
        "start_time_unix_nano": start,
        "end_time_unix_nano": end,
        "status": status,
        "events": span.each("annotations", _event),
        "attributes": attributes(
            _address("local", local) | _service("peer.service", remote) | _address("peer", remote) | tags
        ),
    }
    return _service("service.name", local), (name, version), arguments


def _tags(value: object) -> Tags:
    tags = Fields(value)
    return {key: ("string_value", tags.required(key, text)) for key in tags}


def _status(tags: Tags) -> Arguments:
    """The tag `error` says that there was one, whatever its text is, which is then the message."""
    code = STATUS.get(taken(tags, "otel.status_code").upper(), Status.STATUS_CODE_UNSET)
    message = taken(tags, "otel.status_description")
    if "error" in tags:
        code = Status.STATUS_CODE_ERROR
        error = taken(tags, "error")
        message = message or ("" if error == "true" else error)
    return {"code": code, "message": message}


def _service(key: str, endpoint: Fields) -> Tags:
    name = endpoint.optional("serviceName", text, "")
    return {key: ("string_value", name)} if name else {}


def _address(side: str, endpoint: Fields) -> Tags:
    tags: Tags = {}
    for version in ("ipv4", "ipv6"):
        if version in endpoint:
            tags[f"network.{side}.address"] = ("string_value", endpoint.required(version, text))
    if endpoint.optional("port", INT64, 0):
        tags[f"network.{side}.port"] = ("int_value", endpoint.required("port", INT64))
    return tags


def _event(annotation: Fields) -> Arguments:
    time = moment(annotation.required("timestamp", UINT64))
    return {"time_unix_nano": time, "name": annotation.required("value", text)}


def _trace_id(value: object) -> bytes:
    return padded(value, TRACE_BYTES)


def _span_id(value: object) -> bytes:
    return padded(value, SPAN_BYTES)
