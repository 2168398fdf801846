"""The distinct resources and scopes of a capture, by number, so that no item need carry them; items -> requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics, ScopeMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from vivace.telemetry.capture.wire_fields import delimited

T = TypeVar("T")
Entry: TypeAlias = ResourceSpans | ResourceMetrics | ResourceLogs
Scope: TypeAlias = ScopeSpans | ScopeMetrics | ScopeLogs

ENTRIES: Final = 1
SCOPES: Final = 2
ITEMS: Final = 2
"""Field numbers in a message, in an entry and in a scope's part of it, the same for the three signals."""


class Contexts:
    """Grows with every distinct resource and scope; stays in memory."""

    def __init__(self) -> None:
        self._resources: list[bytes] = []
        """Entries without scopes."""
        self._scopes: list[tuple[int, bytes]] = []
        """Number of the resource, and a scope's part of an entry without its items."""
        self._resource_numbers: dict[bytes, int] = {}
        self._scope_numbers: dict[tuple[int, bytes], int] = {}

    def resource(self, entry: Entry) -> int:
        """Number of the entry's resource. The wire format is the same for the three signals."""
        bare = ResourceSpans(schema_url=entry.schema_url)
        if entry.HasField("resource"):
            bare.resource.CopyFrom(entry.resource)
        return _number(self._resources, self._resource_numbers, bare.SerializeToString(deterministic=True))

    def scope(self, resource: int, scope: Scope) -> int:
        """Number of the scope in that resource: what an item belongs to."""
        bare = ScopeSpans(schema_url=scope.schema_url)
        if scope.HasField("scope"):
            bare.scope.CopyFrom(scope.scope)
        return _number(self._scopes, self._scope_numbers, (resource, bare.SerializeToString(deterministic=True)))

    def bytes_of(self, context: int) -> int:
        """What a context adds to a request, at most."""
        resource, scope = self._scopes[context]
        return len(self._resources[resource]) + len(scope)

    def request(self, items: Mapping[int, Sequence[bytes]]) -> bytes:
        """An export request of items by context, resource by resource."""
        entries: dict[int, list[bytes]] = {}
        for context, own in items.items():
            resource, scope = self._scopes[context]
            content = b"".join([scope, *(delimited(ITEMS, item) for item in own)])
            entries.setdefault(resource, []).append(delimited(SCOPES, content))
        return b"".join(
            delimited(ENTRIES, self._resources[resource] + b"".join(scopes)) for resource, scopes in entries.items()
        )


def _number(values: list[T], numbers: dict[T, int], value: T) -> int:
    """The place of a value among the distinct ones, to which it is added when new."""
    number = numbers.setdefault(value, len(values))
    if number == len(values):
        values.append(value)
    return number
