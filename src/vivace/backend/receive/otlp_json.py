"""OTLP in JSON -> OTLP in protobuf: from here on all requests are alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, NoReturn

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.telemetry.capture.json_message import reader
from vivace.telemetry.capture.refusal import Malformed

JSON_BYTES: Final = 16 << 20
"""The largest request, decompressed: as Python's objects it takes many times this."""

_MAKE: Final[Callable[..., ExportTraceServiceRequest]] = ExportTraceServiceRequest
_READ: Final = reader(ExportTraceServiceRequest.DESCRIPTOR)


def protobuf_of(document: bytes) -> bytes:
    """An ExportTraceServiceRequest. IDs are hexadecimal, names that are not known are passed over.

    NotTaken when the document is not JSON, or not OTLP.
    """
    if len(document) > JSON_BYTES:
        raise NotTaken(Cause.TOO_LARGE, f"the request has more than {JSON_BYTES} bytes of JSON; send smaller ones")
    try:
        value = json.loads(document, parse_constant=_no_number)
        return _MAKE(**_READ(value)).SerializeToString()
    except Malformed as error:
        raise NotTaken(Cause.MALFORMED, f"not an OTLP trace request: {error}") from error
    except RecursionError as error:
        raise NotTaken(Cause.MALFORMED, "the request is nested too deeply") from error
    except ValueError as error:
        raise NotTaken(Cause.MALFORMED, f"not JSON: {error}") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON; write it as a text")
