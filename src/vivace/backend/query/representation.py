"""In which form an answer is sent: what the request accepts decides."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from vivace.backend.query import tempopb
from vivace.backend.query.compare import Check
from vivace.backend.query.otlp_json import dumped
from vivace.backend.query.shown import Json

PROTOBUF: Final = "application/protobuf"
JSON: Final = "application/json"
LANGUAGE_MODELS: Final = "application/vnd.grafana.llm"
GZIP_BYTES: Final = 4096
"""Answers of this size are compressed for who takes them so."""
GZIP_LEVEL: Final = 1

Work = Callable[[Check], Response]
"""What a worker thread does for a request."""


def media_type(request: Request) -> str:
    """The form in which a request wants its answer."""
    accepted = request.headers.get("accept", "").lower()
    if PROTOBUF in accepted:
        return PROTOBUF
    return f"{LANGUAGE_MODELS}+json" if LANGUAGE_MODELS in accepted and JSON not in accepted else JSON


def answering(request: Request, message: str, answer: Callable[[Check], Json]) -> Work:
    """Answers in the form that is wanted; in protobuf it is a message of Tempo's API."""
    wanted = media_type(request)

    def work(check: Check) -> Response:
        document = answer(check)
        if wanted == PROTOBUF:
            return Response(tempopb.message(message, document).SerializeToString(), media_type=PROTOBUF)
        return json_response(document, wanted)

    return work


def json_response(document: Json, form: str = JSON) -> Response:
    """A document in one of the forms that are JSON."""
    return Response(dumped(document).encode(), media_type=form)


def compressing(request: Request, work: Work) -> Work:
    """Large answers are compressed by the thread that makes them, so that no other answer waits for that."""
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return work

    def compressed(check: Check) -> Response:
        response = work(check)
        if len(response.body) >= GZIP_BYTES:
            response.body = gzip.compress(response.body, GZIP_LEVEL, mtime=0)
            response.headers["Content-Length"] = str(len(response.body))
            response.headers["Content-Encoding"] = "gzip"
            response.headers.add_vary_header("Accept-Encoding")
        return response

    return compressed
