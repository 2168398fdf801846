"""Every kind of span that there can be: what all spans of one name in one service have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import numpy as np

from vivace.telemetry.topology import Conduct, Service, Store

NETWORK_MS: Final = 0.4
"""Median time that a call takes on the network and in the client, both ways together."""
SEND_MS: Final = 1.1


class Shape(IntEnum):
    """What a span is about; decides its kind and its attributes."""

    HTTP_SERVER = 0
    HTTP_CLIENT = 1
    RPC_SERVER = 2
    RPC_CLIENT = 3
    DATABASE = 4
    PRODUCER = 5
    CONSUMER = 6
    INTERNAL = 7


KIND: Final = np.array([2, 3, 2, 3, 3, 4, 5, 1], np.int32)
"""OTLP's span kind by shape."""
READING_VERBS: Final = frozenset(
    ["SELECT", "GET", "HEAD", "MGET", "HGETALL", "HMGET", "ZREVRANGE", "ZCOUNT", "SETEX", "find", "search", "msearch"]
)
"""Of databases and of HTTP; filling a cache counts as reading."""
READING_METHODS: Final = ("Get", "List", "Preview", "Quote", "Score")
"""How the names of gRPC methods begin that change nothing."""
CAN_CALL: Final = np.array([True, False, True, False, False, False, True, True])
"""By shape: whether the service's own code runs in the span, so that it can have children."""
CALLED: Final = np.array([True, False, True, False, False, False, True, False])
"""By shape: the parent is in another service."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What all spans of one name in one service have in common."""

    service: int
    shape: Shape
    name: str
    own_ms: float
    attributes: Mapping[str, str | int]
    path: str = ""
    """The URL path or, of clients, the whole URL; values go where {names} stand."""
    success: int = 200
    """HTTP status code when all is well."""
    reads: bool = True
    """It changes nothing."""
    sigma: float | None = None
    """Of the logarithm of its own time; None: as usual, with slow traces and outliers."""
    errors: float | None = None
    """How often it fails by itself; None: as usual for its shape."""

    def conducted(self, *conducts: Conduct) -> Operation:
        """The same with its latency and errors as the first says that says it."""
        latency = next((conduct.latency for conduct in conducts if conduct.latency), None)
        errors = next((conduct.errors for conduct in conducts if conduct.errors is not None), self.errors)
        if latency is None:
            return replace(self, errors=errors)
        return replace(self, errors=errors, own_ms=latency.p50 * 1e3, sigma=latency.sigma)


def server(number: int, system: str, name: str, service: Service, endpoint: str) -> Operation:
    """Answering a call, in service `number`."""
    address = f"{name}.{system}.example" if service.ingress else name
    place: dict[str, str | int] = {"server.address": address, "server.port": service.port}
    if is_rpc(endpoint):
        return Operation(
            number, Shape.RPC_SERVER, endpoint, service.own_ms, _rpc(endpoint) | place, reads=_reads(endpoint)
        )
    method, _, route = endpoint.partition(" ")
    return Operation(
        number,
        Shape.HTTP_SERVER,
        endpoint,
        service.own_ms,
        {"http.request.method": method, "http.route": route, "url.scheme": "http"} | place,
        path=route,
        success=_success(method),
        reads=_reads(endpoint),
    )


def client(number: int, callee: str, port: int, endpoint: str) -> Operation:
    """Calling another service's endpoint, in service `number`."""
    place: dict[str, str | int] = {"server.address": callee, "server.port": port}
    if is_rpc(endpoint):
        return Operation(number, Shape.RPC_CLIENT, endpoint, NETWORK_MS, _rpc(endpoint) | place, reads=_reads(endpoint))
    method, _, route = endpoint.partition(" ")
    return _http_client(number, method, f"http://{callee}:{port}{route}", NETWORK_MS, place)


def external(number: int, call: str, own_ms: float) -> Operation:
    """Calling `METHOD URL` of somebody else, who sends no spans."""
    method, _, url = call.partition(" ")
    return _http_client(number, method, url, own_ms, {"server.address": url.split("/")[2], "server.port": 443})


def _http_client(number: int, method: str, url: str, own_ms: float, place: Mapping[str, str | int]) -> Operation:
    attributes = {"http.request.method": method, **place}
    return Operation(
        number,
        Shape.HTTP_CLIENT,
        method,
        own_ms,
        attributes,
        path=url,
        success=_success(method),
        reads=_reads(f"{method} {url}"),
    )


def internal(number: int, function: str, own_ms: float) -> Operation:
    """Running a function of the service itself."""
    return Operation(number, Shape.INTERNAL, function, own_ms, {"code.function.name": function})


def is_rpc(endpoint: str) -> bool:
    """Whether an endpoint is `package.Service/Method`, not `METHOD /route`."""
    return "/" in endpoint.partition(" ")[0]


def _rpc(endpoint: str) -> dict[str, str | int]:
    return {"rpc.system.name": "grpc", "rpc.method": endpoint}


def _reads(endpoint: str) -> bool:
    if is_rpc(endpoint):
        return endpoint.rpartition("/")[2].startswith(READING_METHODS)
    return endpoint.partition(" ")[0] in READING_VERBS


def _success(method: str) -> int:
    return {"POST": 201, "DELETE": 204}.get(method, 200)


def database(number: int, store: Store, summary: str, text: str) -> Operation:
    """Asking a database."""
    verb, _, collection = summary.partition(" ")
    attributes: dict[str, str | int] = {"db.system.name": store.system, "db.namespace": store.namespace}
    if collection:
        attributes["db.collection.name"] = collection
    attributes |= {"db.operation.name": verb, "db.query.text": text}
    attributes |= {"server.address": store.address, "server.port": store.port}
    return Operation(number, Shape.DATABASE, summary, store.own_ms, attributes, reads=verb in READING_VERBS)


def producer(number: int, system: str, name: str, topic: str) -> Operation:
    """Sending a message."""
    broker = f"kafka.{system}.svc.cluster.local"
    attributes = _messaging(topic, "send") | {"messaging.client.id": f"{name}-producer", "server.address": broker}
    return Operation(number, Shape.PRODUCER, f"send {topic}", SEND_MS, attributes, reads=False)


def consumer(number: int, name: str, topic: str, own_ms: float) -> Operation:
    """Working on a message."""
    attributes = _messaging(topic, "process") | {"messaging.consumer.group.name": name}
    return Operation(number, Shape.CONSUMER, f"process {topic}", own_ms, attributes, reads=False)


def _messaging(topic: str, operation: str) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }
