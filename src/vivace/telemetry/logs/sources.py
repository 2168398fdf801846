"""Who writes logs: the services that spans come from, and hosts; with the scopes that they write under."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.logs.messages import messages
from vivace.telemetry.metrics.inventory import Inventory
from vivace.telemetry.sdk import SDKS, Sdk
from vivace.telemetry.topology import Language

HOSTS: Final = 24
UNKNOWN: Final = "unknown_service"
RECEIVER: Final = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/journaldreceiver"


@dataclass(frozen=True, slots=True)
class Writer:
    """A service as far as its logs show it."""

    service: str
    language: Language

    @property
    def sdk(self) -> Sdk:
        return SDKS[self.language]


@dataclass(slots=True)
class Sources:
    """Resources and scopes, numbered as they are met; grows with every batch."""

    hosts: pa.Array
    writers: dict[Writer, int] = field(default_factory=dict)
    _scopes: dict[str, int] = field(default_factory=dict)
    _known: dict[bytes, int] = field(default_factory=dict)

    @classmethod
    def of(cls, seed: int) -> Sources:
        """With the hosts of this seed."""
        return cls(Inventory(("host",), seed).encoded("host", HOSTS))

    def writers_of(self, resources: pa.Array) -> Numbers:
        """The number of the writer that each of the encoded resources is."""
        return np.array([self._writer(resource) for resource in resources.to_pylist()])

    def scope(self, name: str) -> int:
        """The number of a scope."""
        return self._scopes.setdefault(name, len(self._scopes))

    def scopes_of(self, suffix: str) -> Numbers:
        """By writer: the number of its scope that ends like this."""
        return np.array([self.scope(f"{writer.service}.{suffix}") for writer in self.writers])

    def loggers(self) -> Numbers:
        """(writers, loggers): the numbers of their scopes."""
        return np.stack([self.scopes_of(logger) for logger in messages().application.loggers], axis=1)

    def encoded_scopes(self) -> pa.Array:
        """All scopes: binary."""
        return pa.array([InstrumentationScope(name=name).SerializeToString() for name in self._scopes], pa.binary())

    def _writer(self, resource: bytes) -> int:
        known = self._known.get(resource)
        if known is None:
            known = self._known[resource] = self.writers.setdefault(_read(resource), len(self.writers))
        return known


def _read(resource: bytes) -> Writer:
    said = {
        attribute.key: attribute.value.string_value
        for attribute in Resource.FromString(resource).attributes
        if attribute.key in {"service.name", "telemetry.sdk.language"}
    }
    language = said.get("telemetry.sdk.language", "")
    known = Language(language) if language in set(Language) else Language.GO
    return Writer(said.get("service.name") or UNKNOWN, known)
