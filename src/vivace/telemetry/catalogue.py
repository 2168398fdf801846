"""A topology as tables to draw from: its operations, and what a service does next with which chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.operations import Operation, client, consumer, database, external, internal, producer, server
from vivace.telemetry.topology import Topology

DOWNSTREAM: Final = 0.7
"""Share of a service's steps that go to another service; the others stay in the service."""
STORES: Final = 0.65
"""Share of the steps inside a service that ask its databases, where it has any."""
TOPIC_WEIGHT: Final = 2.5
EXTERNAL_WEIGHT: Final = 2.0
FUNCTION_SHARE: Final = 0.4
"""Time that a function takes for itself, as a share of what an endpoint takes."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a service can do next: one span, or a span and its counterpart in another service."""

    context: int
    """Twice the service, plus 1 where the service may write."""
    first: int
    """Number of an operation."""
    second: int
    """-1: none."""
    weight: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Steps to draw from, by context, each with its weight."""

    steps: Numbers
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

    def draw(self, context: Numbers, chance: npt.NDArray[np.float64]) -> Numbers:
        """A step for each context; `chance` is uniform in [0, 1)."""
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
        """By operation."""
        return np.array([operation.context for operation in self.operations])

    @cached_property
    def own_ns(self) -> npt.NDArray[np.float64]:
        """By operation."""
        return np.array([operation.own_ms * 1e6 for operation in self.operations])

    @cached_property
    def first(self) -> Numbers:
        """By step."""
        return np.array([step.first for step in self.steps])

    @cached_property
    def second(self) -> Numbers:
        """By step."""
        return np.array([step.second for step in self.steps])

    @cached_property
    def any_step(self) -> Choice:
        """Among all steps."""
        return Choice.of(self.steps, list(range(len(self.steps))), 2 * len(self.topology.services))

    @cached_property
    def single_step(self) -> Choice:
        """Among the steps of one span."""
        rows = [row for row, step in enumerate(self.steps) if step.second < 0]
        return Choice.of(self.steps, rows, 2 * len(self.topology.services))


def catalogue(topology: Topology) -> Catalogue:
    """The tables of a topology."""
    return _Builder(topology).catalogue()


_Move: TypeAlias = tuple[int, int, float]
"""Operation, counterpart or -1, weight."""


@dataclass(frozen=True)
class _Builder:
    topology: Topology
    operations: list[Operation] = field(default_factory=list)
    servers: dict[str, list[int]] = field(default_factory=dict)
    """Operations that answer, by service."""

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.topology.services)}

    def catalogue(self) -> Catalogue:
        for name, service in self.topology.services.items():
            self.servers[name] = [
                self._add(server(self.numbers[name], name, service, endpoint)) for endpoint in service.endpoints
            ]
        steps = [step for name in self.topology.services for step in self._steps(name)]
        roots = [
            (operation, service.ingress * weight)
            for name, service in self.topology.services.items()
            if service.ingress
            for operation, weight in zip(self.servers[name], _ranked(len(self.servers[name])), strict=True)
        ]
        operations, weights = zip(*roots, strict=True)
        return Catalogue(self.topology, self.operations, steps, np.array(operations), np.array(weights))

    def _add(self, operation: Operation) -> int:
        self.operations.append(operation)
        return len(self.operations) - 1

    def _steps(self, name: str) -> Iterator[Step]:
        remote, local = list(self._remote(name)), list(self._local(name))
        for writes in (False, True):
            context = 2 * self.numbers[name] + writes
            yield from self._shared(remote, DOWNSTREAM, context)
            yield from self._shared(local, 1 - DOWNSTREAM, context)

    def _shared(self, moves: list[_Move], share: float, context: int) -> list[Step]:
        """Steps of one context, whose weights add up to `share`."""
        allowed = [move for move in moves if context % 2 or self.operations[move[0]].reads]
        total = sum(weight for _, _, weight in allowed)
        return [Step(context, first, second, weight * share / total) for first, second, weight in allowed]

    def _remote(self, name: str) -> Iterator[_Move]:
        """What a service does that leaves it."""
        service, number = self.topology.services[name], self.numbers[name]
        for callee, weight in service.calls.items():
            other = self.topology.services[callee]
            ranks = _ranked(len(other.endpoints))
            for answer, endpoint, rank in zip(self.servers[callee], other.endpoints, ranks, strict=True):
                yield self._add(client(number, callee, other.port, endpoint)), answer, weight * rank
        for topic, consumers in service.topics.items():
            for consumed_by in consumers:
                own_ms = self.topology.services[consumed_by].own_ms
                consumed = self._add(consumer(self.numbers[consumed_by], consumed_by, topic, own_ms))
                yield self._add(producer(number, name, topic)), consumed, TOPIC_WEIGHT / len(consumers)
        for call, own_ms in service.external.items():
            yield self._add(external(number, call, own_ms)), -1, EXTERNAL_WEIGHT

    def _local(self, name: str) -> Iterator[_Move]:
        """What a service does by itself and with its databases."""
        service, number = self.topology.services[name], self.numbers[name]
        for function, rank in zip(service.internal, _ranked(len(service.internal)), strict=True):
            yield self._add(internal(number, function, service.own_ms * FUNCTION_SHARE)), -1, rank * (1 - STORES)
        for store in service.stores:
            ranks = _ranked(len(store.operations))
            for (summary, text), rank in zip(store.operations.items(), ranks, strict=True):
                yield self._add(database(number, store, summary, text)), -1, rank * STORES / len(service.stores)


def _ranked(count: int) -> list[float]:
    """Weights of `count` things, the most frequent first; they add up to 1."""
    weights = [1 / rank for rank in range(1, count + 1)]
    return [weight / sum(weights) for weight in weights]
