"""A topology as tables to draw from: its operations, and what a service does next with which chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.operations import (
    Operation,
    Shape,
    client,
    consumer,
    database,
    external,
    internal,
    producer,
    server,
)
from vivace.telemetry.topology import Call, Conduct, Endpoint, FanOut, Topology

STORES: Final = 0.65
"""Share of the steps inside a service that ask its databases, where it has any."""
TOPIC_WEIGHT: Final = 2.5
EXTERNAL_WEIGHT: Final = 2.0
FUNCTION_SHARE: Final = 0.4
"""Time that a function takes for itself, as a share of what an endpoint takes."""
INHERIT: Final = -1
ONCE: Final = FanOut()


@dataclass(frozen=True, slots=True)
class Step:
    """What can be done next: one span, or a span and its counterpart in another service."""

    context: int
    """Number of the operation, a server or consumer, whose service takes the step."""
    first: int
    """Number of an operation."""
    second: int
    """-1: none."""
    weight: float
    fan_out: FanOut = ONCE


@dataclass(frozen=True, slots=True)
class Choice:
    """Steps to draw from, by context, each with its weight."""

    steps: Numbers
    weight_before: npt.NDArray[np.float64]
    """By context, and the total at the end."""
    weight_up_to: npt.NDArray[np.float64]
    """By step."""
    possible: Flags
    """By context: whether there is anything to draw."""

    @classmethod
    def of(cls, steps: list[Step], rows: list[int], contexts: int) -> Choice:
        """A choice among these rows of `steps`, which are ordered by context."""
        weight = np.array([steps[row].weight for row in rows])
        context = np.array([steps[row].context for row in rows], np.int64)
        total = np.bincount(context, weight, minlength=contexts)
        return cls(np.array(rows, np.int64), np.append(0, np.cumsum(total)), np.cumsum(weight), total > 0)

    def draw(self, context: Numbers, chance: npt.NDArray[np.float64]) -> Numbers:
        """A step for each context, any where none is possible; `chance` is uniform in [0, 1)."""
        if not self.steps.size:
            return np.zeros(context.size, np.int64)
        low, high = self.weight_before[context], self.weight_before[context + 1]
        row = np.searchsorted(self.weight_up_to, low + chance * (high - low) * (1 - 1e-9), "right")
        return self.steps[np.minimum(row, self.steps.size - 1)]


@dataclass(frozen=True)
class Catalogue:
    """Everything that can happen in a topology."""

    topology: Topology
    operations: list[Operation]
    steps: list[Step]
    roots: Numbers
    """Operations that traces start with."""
    root_weight: npt.NDArray[np.float64]

    @cached_property
    def service(self) -> Numbers:
        """By operation."""
        return np.array([operation.service for operation in self.operations])

    @cached_property
    def shape(self) -> Numbers:
        """By operation."""
        return np.array([operation.shape for operation in self.operations])

    @cached_property
    def context(self) -> Numbers:
        """By operation: what its own steps are drawn from, see `Step.context`; INHERIT: the same as its parent's."""
        return np.where(self.shape == Shape.INTERNAL, INHERIT, np.arange(len(self.operations)))

    @cached_property
    def own_ns(self) -> npt.NDArray[np.float64]:
        """By operation."""
        return np.array([operation.own_ms * 1e6 for operation in self.operations])

    @cached_property
    def sigma(self) -> npt.NDArray[np.float64]:
        """By operation; NaN where it is not given."""
        return np.array([operation.sigma for operation in self.operations], np.float64)

    @cached_property
    def errors(self) -> npt.NDArray[np.float64]:
        """By operation; NaN where it is not given."""
        return np.array([operation.errors for operation in self.operations], np.float64)

    @cached_property
    def first(self) -> Numbers:
        """By step."""
        return np.array([step.first for step in self.steps], np.int64)

    @cached_property
    def second(self) -> Numbers:
        """By step."""
        return np.array([step.second for step in self.steps], np.int64)

    @cached_property
    def fan_out(self) -> Numbers:
        """By step: fewest and most at once."""
        return np.array([(step.fan_out.min, step.fan_out.max) for step in self.steps], np.int64).reshape(-1, 2)

    @cached_property
    def any_step(self) -> Choice:
        """Among all steps."""
        return Choice.of(self.steps, list(range(len(self.steps))), len(self.operations))

    @cached_property
    def single_step(self) -> Choice:
        """Among the steps of one span."""
        rows = [row for row, step in enumerate(self.steps) if step.second < 0]
        return Choice.of(self.steps, rows, len(self.operations))

    def possible(self, context: Numbers, any_step: Flags) -> Flags:
        """Whether there is a step in each context: any, or else one of a single span."""
        return np.asarray(np.where(any_step, self.any_step.possible[context], self.single_step.possible[context]))


def catalogue(topology: Topology) -> Catalogue:
    """The tables of a topology."""
    return _Builder(topology).catalogue()


@dataclass(frozen=True, slots=True)
class _Move:
    """A step, as yet of no context."""

    first: int
    second: int
    weight: float
    fan_out: FanOut = ONCE
    only: tuple[str, ...] = ()
    """Endpoints that take it; none: all."""


@dataclass(frozen=True)
class _Builder:
    topology: Topology
    operations: list[Operation] = field(default_factory=list)
    servers: dict[str, dict[str, int]] = field(default_factory=dict)
    """Operations that answer, by service and endpoint."""
    consumers: dict[tuple[str, str], int] = field(default_factory=dict)
    """Operations that consume, by service and topic."""

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.topology.services)}

    def catalogue(self) -> Catalogue:
        for name, service in self.topology.services.items():
            self.servers[name] = {
                endpoint: self._add(
                    server(self.numbers[name], self.topology.name, name, service, endpoint).conducted(conduct)
                )
                for endpoint, conduct in service.endpoints.items()
            }
        moves = {name: (list(self._remote(name)), list(self._local(name))) for name in self.topology.services}
        steps = [step for name, (remote, local) in moves.items() for step in self._steps(name, remote, local)]
        roots, weights = zip(*self._roots(), strict=True)
        return Catalogue(
            self.topology,
            self.operations,
            sorted(steps, key=lambda step: step.context),
            np.array(roots),
            np.array(weights),
        )

    def _roots(self) -> Iterator[tuple[int, float]]:
        for name, service in self.topology.services.items():
            if service.ingress:
                ranks = _weights(service.endpoints)
                yield from ((self.servers[name][endpoint], service.ingress * rank) for endpoint, rank in ranks.items())

    def _add(self, operation: Operation) -> int:
        usual = operation.conducted(Conduct(errors=self.topology.errors)) if operation.errors is None else operation
        self.operations.append(usual)
        return len(self.operations) - 1

    def _steps(self, name: str, remote: list[_Move], local: list[_Move]) -> Iterator[Step]:
        """Of all contexts of a service."""
        downstream = self.topology.downstream
        contexts = list(self.servers[name].items())
        contexts += [(topic, number) for (consumer, topic), number in self.consumers.items() if consumer == name]
        for endpoint, context in contexts:
            yield from self._shared(remote, downstream, endpoint, context)
            yield from self._shared(local, 1 - downstream, endpoint, context)

    def _shared(self, moves: list[_Move], share: float, endpoint: str, context: int) -> list[Step]:
        """Steps of one context, whose weights add up to `share`."""
        reading = self.topology.reads_never_write and self.operations[context].reads
        allowed = [
            move
            for move in moves
            if (not move.only or endpoint in move.only) and (self.operations[move.first].reads or not reading)
        ]
        total = sum(move.weight for move in allowed) or 1
        return [Step(context, move.first, move.second, move.weight * share / total, move.fan_out) for move in allowed]

    def _remote(self, name: str) -> Iterator[_Move]:
        """What a service does that leaves it."""
        service, number = self.topology.services[name], self.numbers[name]
        for callee, call in service.calls.items():
            yield from self._sent(name, callee, call) if call.topic else self._called(name, callee, call)
        for topic, consumers in service.topics.items():
            for consumed_by in consumers:
                yield from self._sent(name, consumed_by, Call(topic=topic, weight=TOPIC_WEIGHT / len(consumers)))
        for outside, own_ms in service.external.items():
            yield _Move(self._add(external(number, outside, own_ms)), -1, EXTERNAL_WEIGHT)

    def _called(self, name: str, callee: str, call: Call) -> Iterator[_Move]:
        """A call that is waited for, of each endpoint that it may be of."""
        port, ranks = self.topology.services[callee].port, _weights(self.topology.services[callee].endpoints)
        for endpoint, rank in ranks.items() if call.endpoint is None else [(call.endpoint, 1.0)]:
            asked = self._add(client(self.numbers[name], callee, port, endpoint).conducted(call))
            yield _Move(asked, self.servers[callee][endpoint], call.weight * rank, call.fan_out, call.only)

    def _sent(self, name: str, callee: str, call: Call) -> Iterator[_Move]:
        """A message; the topic's consumer is the same whoever sent it."""
        topic, own_ms = str(call.topic), self.topology.services[callee].own_ms
        sent = self._add(producer(self.numbers[name], self.topology.name, name, topic).conducted(call))
        if (callee, topic) not in self.consumers:
            self.consumers[callee, topic] = self._add(consumer(self.numbers[callee], callee, topic, own_ms))
        yield _Move(sent, self.consumers[callee, topic], call.weight, call.fan_out, call.only)

    def _local(self, name: str) -> Iterator[_Move]:
        """What a service does by itself and with its databases."""
        service, number = self.topology.services[name], self.numbers[name]
        for function, rank in zip(service.internal, _ranked(len(service.internal)), strict=True):
            yield _Move(self._add(internal(number, function, service.own_ms * FUNCTION_SHARE)), -1, rank * (1 - STORES))
        for store in service.stores:
            ranks = _ranked(len(store.operations))
            for (summary, text), rank in zip(store.operations.items(), ranks, strict=True):
                yield _Move(self._add(database(number, store, summary, text)), -1, rank * STORES / len(service.stores))


def _weights(endpoints: Mapping[str, Endpoint]) -> dict[str, float]:
    """Shares of the endpoints: as they say, or else the most frequent first; they add up to 1."""
    ranks = _ranked(len(endpoints))
    weights = {
        name: rank if endpoint.weight is None else endpoint.weight
        for (name, endpoint), rank in zip(endpoints.items(), ranks, strict=True)
    }
    total = sum(weights.values()) or 1
    return {name: weight / total for name, weight in weights.items()}


def _ranked(count: int) -> list[float]:
    """Weights of `count` things, the most frequent first; they add up to 1."""
    weights = [1 / rank for rank in range(1, count + 1)]
    return [weight / sum(weights) for weight in weights]
