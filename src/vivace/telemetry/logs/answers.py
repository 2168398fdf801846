"""What spans that answered HTTP requests say of them, for access logs to say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.correlation import SampledSpans
from vivace.telemetry.encode import decode

SERVER: Final = 2
METHOD: Final = "http.request.method"
STATUS: Final = "http.response.status_code"
PATH: Final = "url.path"
CLIENT: Final = "client.address"
AGENT: Final = "user_agent.original"
VERSION: Final = "network.protocol.version"
KEYS: Final = (
    METHOD,
    STATUS,
    PATH,
    "url.query",
    "url.scheme",
    "http.route",
    CLIENT,
    AGENT,
    VERSION,
    "server.address",
    "error.type",
)
"""Attributes of spans that access logs have as well."""
SUCCESS: Final = 200


@dataclass(frozen=True, slots=True)
class Attribute:
    """The attributes of one key."""

    place: Numbers
    """By span: number among the attributes; -1 for none."""
    encoded: pa.Array
    values: pa.Array
    """Encoded AnyValues."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What spans say of HTTP requests; most spans say nothing."""

    attributes: dict[str, Attribute]
    """By key, those of KEYS."""

    @classmethod
    def of(cls, spans: SampledSpans) -> Answers:
        """Reads the attributes of the spans that answered something."""
        served = np.flatnonzero(spans.kind == SERVER)
        lists = spans.attributes.take(pa.array(served))
        encoded = lists.flatten()
        owner = served[pc.list_parent_indices(lists).to_numpy()]
        columns = decode("KeyValue", encoded)
        attributes = {}
        for key in KEYS:
            rows = np.flatnonzero(pc.equal(columns.column("key"), key).to_numpy(zero_copy_only=False))
            place = np.full(len(spans), -1)
            place[owner[rows]] = np.arange(rows.size)
            some = pa.array(rows)
            attributes[key] = Attribute(place, encoded.take(some), columns.column("value").take(some))
        return cls(attributes)

    @property
    def status(self) -> Numbers:
        """By span: the HTTP status; 0 of spans that answered no HTTP request."""
        attribute = self.attributes[STATUS]
        values = decode("AnyValue", attribute.values).column("int_value").fill_null(SUCCESS).to_numpy()
        said = np.append(values, SUCCESS)[attribute.place]
        return np.where(self.attributes[METHOD].place < 0, 0, said)

    def texts(self, key: str, spans: Numbers, default: str) -> pa.Array:
        """The text that each of the spans has for a key."""
        attribute = self.attributes[key]
        values = decode("AnyValue", attribute.values).column("string_value").fill_null(default)
        place = attribute.place[spans]
        return pa.concat_arrays([values, pa.array([default])]).take(pa.array(np.where(place < 0, len(values), place)))
