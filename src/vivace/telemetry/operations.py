"""A topology as tables that can be drawn from: every kind of span there can be, and what a service does next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from vivace.telemetry.topology import Service, Store, Topology

DOWNSTREAM: Final = 0.7
"""Share of a service's steps that go to another service; the others stay in the service."""
STORES: Final = 0.65
"""Share of the steps inside a service that ask its databases, where it has any."""
TOPIC_WEIGHT: Final = 2.5
EXTERNAL_WEIGHT: Final = 2.0
NETWORK_MS: Final = 0.4
"""Median time that a call takes on the network and in the client, both ways together."""
SEND_MS: Final = 1.1
BROKER: Final = "kafka.shop.svc.cluster.local"


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
INHERIT: Final = -1
READING_VERBS: Final = frozenset(
    ["SELECT", "GET", "HEAD", "MGET", "HGETALL", "HMGET", "ZREVRANGE", "ZCOUNT", "SETEX", "find", "search", "msearch"]
)
"""Of databases and of HTTP; filling a cache counts as reading."""
READING_METHODS: Final = ("Get", "List", "Preview", "Quote", "Score")
"""How the names of gRPC methods begin that change nothing."""
CAN_CALL: Final = np.array([True, False, True, False, False, False, True, True])
"""By shape: whether the service's own code runs in the span, so that it can have children."""


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
    """It changes nothing; what reads does not call what writes."""

    @property
    def context(self) -> int:
        """What its own steps are drawn from, see `Step.context`; INHERIT: the same as its parent's."""
        return INHERIT if self.shape is Shape.INTERNAL else 2 * self.service + (not self.reads)


@dataclass(frozen=True, slots=True)
class Step:
    """What a service can do next: one span, or a span and its counterpart in another service."""

    context: int
    """Twice the service, plus 1 where the service may write."""
    first: int
    second: int
    """-1: none."""
    weight: float


Move: TypeAlias = tuple[int, int, float]
"""Operation, counterpart or -1, weight."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Steps to draw from, by context, each with its weight."""

    steps: npt.NDArray[np.int64]
    weight_before: npt.NDArray[np.float64]
    """By context, and the total at the end."""
    weight_up_to: npt.NDArray[np.float64]
    """By step."""

    @classmethod
    def of(cls, steps: list[Step], rows: list[int], contexts: int) -> Choice:
        """A choice among these rows of `steps`, which are ordered by context."""
        weight = np.array([steps[row].weight for row in rows])
        context = np.array([steps[row].context for row in rows])
        total = np.bincount(context, weight, minlength=contexts)
        return cls(np.array(rows), np.append(0, np.cumsum(total)), np.cumsum(weight))

    def draw(self, context: npt.NDArray[np.int64], chance: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """A step for each context; `chance` is uniform in [0, 1)."""
        low, high = self.weight_before[context], self.weight_before[context + 1]
        row = np.searchsorted(self.weight_up_to, low + chance * (high - low) * (1 - 1e-9), "right")
        return self.steps[np.minimum(row, self.steps.size - 1)]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that can happen in a topology."""

    topology: Topology
    operations: list[Operation]
    steps: list[Step]
    roots: npt.NDArray[np.int64]
    """Operations that traces start with."""
    root_weight: npt.NDArray[np.float64]
    service: npt.NDArray[np.int64] = field(init=False)
    """By operation."""
    shape: npt.NDArray[np.int64] = field(init=False)
    context: npt.NDArray[np.int64] = field(init=False)
    own_ns: npt.NDArray[np.float64] = field(init=False)
    first: npt.NDArray[np.int64] = field(init=False)
    """By step."""
    second: npt.NDArray[np.int64] = field(init=False)
    any_step: Choice = field(init=False)
    single_step: Choice = field(init=False)
    """Only steps of one span."""

    def __post_init__(self) -> None:
        contexts = 2 * len(self.topology.services)
        every = range(len(self.steps))
        derived = {
            "service": np.array([operation.service for operation in self.operations]),
            "shape": np.array([operation.shape for operation in self.operations]),
            "context": np.array([operation.context for operation in self.operations]),
            "own_ns": np.array([operation.own_ms * 1e6 for operation in self.operations]),
            "first": np.array([step.first for step in self.steps]),
            "second": np.array([step.second for step in self.steps]),
            "any_step": Choice.of(self.steps, list(every), contexts),
            "single_step": Choice.of(self.steps, [row for row in every if self.steps[row].second < 0], contexts),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


def catalogue(topology: Topology) -> Catalogue:
    """The tables of a topology."""
    operations: list[Operation] = []
    numbers = {name: number for number, name in enumerate(topology.services)}
    servers: dict[str, list[int]] = {}
    for name, service in topology.services.items():
        servers[name] = []
        for endpoint in service.endpoints:
            servers[name].append(len(operations))
            operations.append(_server(numbers[name], name, service, endpoint))
    roots = [
        (server, service.ingress * weight)
        for name, service in topology.services.items()
        if service.ingress
        for server, weight in zip(servers[name], _ranked(len(servers[name])), strict=True)
    ]
    steps: list[Step] = []
    for name in topology.services:
        remote = list(_remote(topology, name, numbers, servers, operations))
        local = list(_local(topology, name, numbers[name], operations))
        for writes in (False, True):
            steps += _shared(remote, DOWNSTREAM, 2 * numbers[name] + writes, operations)
            steps += _shared(local, 1 - DOWNSTREAM, 2 * numbers[name] + writes, operations)
    return Catalogue(
        topology, operations, steps, np.array([root for root, _ in roots]), np.array([weight for _, weight in roots])
    )


def _remote(
    topology: Topology,
    name: str,
    numbers: Mapping[str, int],
    servers: Mapping[str, list[int]],
    operations: list[Operation],
) -> Iterator[Move]:
    """What service `name` does that leaves it; appends the operations."""
    service = topology.services[name]
    number = numbers[name]
    for callee, weight in service.calls.items():
        other = topology.services[callee]
        for server, endpoint, rank in zip(servers[callee], other.endpoints, _ranked(len(other.endpoints)), strict=True):
            operations.append(_client(number, callee, other.port, endpoint))
            yield len(operations) - 1, server, weight * rank
    for topic, consumers in service.topics.items():
        for consumer in consumers:
            operations.append(_consumer(numbers[consumer], consumer, topic, topology.services[consumer].own_ms))
            operations.append(_producer(number, name, topic))
            yield len(operations) - 1, len(operations) - 2, TOPIC_WEIGHT / len(consumers)
    for call, own_ms in service.external.items():
        operations.append(_external(number, call, own_ms))
        yield len(operations) - 1, -1, EXTERNAL_WEIGHT


def _local(topology: Topology, name: str, number: int, operations: list[Operation]) -> Iterator[Move]:
    """What service `name` does by itself and with its databases; appends the operations."""
    service = topology.services[name]
    for function, weight in zip(service.internal, _ranked(len(service.internal)), strict=True):
        operations.append(
            Operation(number, Shape.INTERNAL, function, service.own_ms * 0.4, {"code.function.name": function})
        )
        yield len(operations) - 1, -1, weight * (1 - STORES)
    for store in service.stores:
        for (summary, text), weight in zip(store.operations.items(), _ranked(len(store.operations)), strict=True):
            operations.append(_database(number, store, summary, text))
            yield len(operations) - 1, -1, weight * STORES / len(service.stores)


def _shared(moves: list[Move], share: float, context: int, operations: list[Operation]) -> list[Step]:
    """Steps of one context, whose weights add up to `share`."""
    allowed = [move for move in moves if context % 2 or operations[move[0]].reads]
    total = sum(weight for _, _, weight in allowed)
    return [Step(context, first, second, weight * share / total) for first, second, weight in allowed]


def _ranked(count: int) -> npt.NDArray[np.float64]:
    """Weights of `count` things, the most frequent first; they add up to 1."""
    weight = 1 / np.arange(1, count + 1)
    return np.asarray(weight / weight.sum())


def _server(number: int, name: str, service: Service, endpoint: str) -> Operation:
    address = f"{name}.shop.example" if service.ingress else name
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


def _client(number: int, callee: str, port: int, endpoint: str) -> Operation:
    place: dict[str, str | int] = {"server.address": callee, "server.port": port}
    if is_rpc(endpoint):
        return Operation(number, Shape.RPC_CLIENT, endpoint, NETWORK_MS, _rpc(endpoint) | place, reads=_reads(endpoint))
    method, _, route = endpoint.partition(" ")
    return _http_client(number, method, f"http://{callee}:{port}{route}", NETWORK_MS, place)


def _external(number: int, call: str, own_ms: float) -> Operation:
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


def _database(number: int, store: Store, summary: str, text: str) -> Operation:
    verb, _, collection = summary.partition(" ")
    attributes: dict[str, str | int] = {"db.system.name": store.system, "db.namespace": store.namespace}
    if collection:
        attributes["db.collection.name"] = collection
    attributes |= {"db.operation.name": verb, "db.query.text": text}
    attributes |= {"server.address": store.address, "server.port": store.port}
    return Operation(number, Shape.DATABASE, summary, store.own_ms, attributes, reads=verb in READING_VERBS)


def _producer(number: int, name: str, topic: str) -> Operation:
    attributes = _messaging(topic, "send") | {"messaging.client.id": f"{name}-producer", "server.address": BROKER}
    return Operation(number, Shape.PRODUCER, f"send {topic}", SEND_MS, attributes, reads=False)


def _consumer(number: int, name: str, topic: str, own_ms: float) -> Operation:
    attributes = _messaging(topic, "process") | {"messaging.consumer.group.name": name}
    return Operation(number, Shape.CONSUMER, f"process {topic}", own_ms, attributes, reads=False)


def _messaging(topic: str, operation: str) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }
