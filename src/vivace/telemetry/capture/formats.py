"""Which format a capture has, told by its content, and its messages through that format's reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from vivace.errors import TemplateError
from vivace.telemetry.capture import jaeger_json, otlp_json, otlp_protobuf, tempo_json, zipkin_json
from vivace.telemetry.capture.documents import BYTE_ORDER_MARK, documents, loads
from vivace.telemetry.capture.framing import Framing, framing, messages
from vivace.telemetry.capture.otlp import Telemetry
from vivace.telemetry.capture.refusal import Malformed, Place
from vivace.telemetry.capture.source import Source, opened, unpacked

HEAD_BYTES: Final = 4096
SHOWN_BYTES: Final = 8
SHOWN_KEYS: Final = 5
CONTROL: Final = bytes(set(range(32)) - set(b"\t\n\r"))
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


class Format(StrEnum):
    """The formats that are known."""

    OTLP_PROTOBUF = "OTLP protobuf"
    OTLP_JSON = "OTLP JSON"
    TEMPO_JSON = "Tempo JSON"
    JAEGER_JSON = "Jaeger JSON"
    ZIPKIN_JSON = "Zipkin v2 JSON"


@dataclass(frozen=True, slots=True)
class DocumentFormat:
    """A format of JSON documents."""

    accepts: Callable[[object], bool]
    read: Callable[[object], Iterator[Telemetry]]


DOCUMENT_FORMATS: Final = {
    Format.OTLP_JSON: DocumentFormat(otlp_json.accepts, otlp_json.read),
    Format.TEMPO_JSON: DocumentFormat(tempo_json.accepts, tempo_json.read),
    Format.JAEGER_JSON: DocumentFormat(jaeger_json.accepts, jaeger_json.read),
    Format.ZIPKIN_JSON: DocumentFormat(zipkin_json.accepts, zipkin_json.read),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One message of a capture."""

    format: Format
    place: Place
    telemetry: Telemetry


def pieces(path: Path, largest: int) -> Iterator[Piece]:
    """All messages of a capture, one document or framed message at a time, none of over `largest` bytes.

    Raises TemplateError, which names the place, when the format is not known or the content is broken.
    """
    with opened(path) as source:
        head = source.read(HEAD_BYTES)
    if not head.strip():
        raise Place(path).refusal("is empty", "capture anew")
    with opened(path) as source:
        if _is_json(head):
            for document in documents(source, largest):
                yield from _of_document(document.place, document.value)
        else:
            yield from _of_binary(source, head, largest)


def _is_json(head: bytes) -> bool:
    """Whether this is text that begins as an object or an array; a binary message could begin alike."""
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    return text[:1] in {b"{", b"["} and text.translate(None, CONTROL) == text


def _of_binary(source: Source, head: bytes, largest: int) -> Iterator[Piece]:
    kind = framing(head, largest)
    if kind is None:
        raise _unknown(Place(source.path), _described(head))
    for place, packed in messages(source, kind, largest):
        message = packed if kind is Framing.NONE else unpacked(place, packed, largest)
        if _is_json(message[:HEAD_BYTES]):
            yield from _of_document(place, loads(place, message))
        else:
            yield from _read(Format.OTLP_PROTOBUF, place, otlp_protobuf.read(message))


def _of_document(place: Place, value: object) -> Iterator[Piece]:
    """Pieces of a document, or of an array of documents."""
    values = value if isinstance(value, list) and not zipkin_json.accepts(value) else [value]
    for each in values:
        name = next((name for name, known in DOCUMENT_FORMATS.items() if known.accepts(each)), None)
        if name is None:
            raise _unknown(place, _described_document(each))
        yield from _read(name, place, DOCUMENT_FORMATS[name].read(each))


def _read(name: Format, place: Place, telemetry: Iterator[Telemetry]) -> Iterator[Piece]:
    """Pieces of messages that a reader gives, and its complaints with their place."""
    try:
        for message in telemetry:
            yield Piece(name, place, message)
    except Malformed as error:
        raise place.refusal(f"is not {name}: {error}", "correct or remove it, or capture anew") from error


def _unknown(place: Place, what: str) -> TemplateError:
    known = ", ".join(Format)
    return place.refusal(
        f"{what}, which is no known format", f"give one of {known}, which may be packed with gzip or zstd"
    )


def _described(head: bytes) -> str:
    if head.startswith(UTF_16):
        return "holds text in UTF-16"
    if head.translate(None, CONTROL) == head:
        first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
        return f"begins with the text {json.dumps(first[:40], ensure_ascii=False)}"
    return f"begins with the bytes {head[:SHOWN_BYTES].hex(' ')}"


def _described_document(value: object) -> str:
    if not isinstance(value, dict):
        return f"holds {json.dumps(value)[:40]}"
    if isinstance(value.get("traces"), list):
        return "holds the results of a search (fetch each trace with /api/v2/traces/<ID>)"
    if value.get("errors"):
        return f"holds errors instead of traces, {json.dumps(value['errors'])[:80]}"
    keys = ", ".join(json.dumps(key) for key in list(value)[:SHOWN_KEYS])
    return f"holds an object with {keys}" if keys else "holds an empty object"
