"""Who sends spans: the instances of each service as OTLP resources, and the scopes that they report under."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.attributes import Scalar, key_value
from vivace.telemetry.operations import is_rpc
from vivace.telemetry.sdk import SDKS
from vivace.telemetry.topology import Service, Topology

NODES: Final = 12
CONSONANTS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes names of."""
SCOPES: Final = 2
"""Per service: the instrumentation library's, then the service's own."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Encoded resources and scopes of all services, in the topology's order."""

    resource: pa.Array
    first: Numbers
    """By service: its first instance among the resources."""
    instances: Numbers
    """By service."""
    scope: pa.Array
    """SCOPES rows per service."""


def resources(topology: Topology, without: Collection[str], random: np.random.Generator) -> Resources:
    """The instances of a topology; names and places are drawn. They lack the attributes of some keys."""
    encoded, scopes, instances = [], [], []
    for name, service in topology.services.items():
        instances.append(service.instances)
        replica_set = _letters(random, 9)
        for instance in range(service.instances):
            version = service.versions[0 if random.random() < 0.8 or not instance else -1]
            pod = f"{name}-{replica_set}-{_letters(random, 5)}"
            attributes = _place(topology, random) | _process(topology.name, name, service, random)
            attributes |= {"service.version": version, "k8s.pod.name": pod}
            encoded.append(_resource({key: value for key, value in attributes.items() if key not in without}))
        scopes += [_scope(service), InstrumentationScope(name=f"{topology.name}.{name}", version=service.versions[0])]
    counts = np.array(instances)
    return Resources(
        pa.array(encoded, pa.binary()),
        np.cumsum(counts) - counts,
        counts,
        pa.array([scope.SerializeToString() for scope in scopes], pa.binary()),
    )


def _scope(service: Service) -> InstrumentationScope:
    sdk = SDKS[service.language]
    name = sdk.rpc_scope if is_rpc(next(iter(service.endpoints))) else sdk.http_scope
    return InstrumentationScope(name=name, version=sdk.scope_version)


def _letters(random: np.random.Generator, count: int) -> str:
    return "".join(CONSONANTS[place] for place in random.integers(0, len(CONSONANTS), count))


def _uuid(random: np.random.Generator) -> str:
    text = random.bytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _place(topology: Topology, random: np.random.Generator) -> dict[str, Scalar]:
    """Where an instance runs."""
    node = int(random.integers(NODES))
    host = f"ip-10-0-{node // 4}-{17 + 11 * node}"
    return {
        "deployment.environment.name": topology.environment,
        "host.name": host,
        "os.type": "linux",
        "cloud.provider": "aws",
        "cloud.region": topology.region,
        "cloud.availability_zone": f"{topology.region}{'abc'[node % 3]}",
        "k8s.cluster.name": topology.cluster,
        "k8s.namespace.name": topology.name,
        "k8s.node.name": f"{host}.{topology.region}.compute.internal",
    }


def _process(namespace: str, name: str, service: Service, random: np.random.Generator) -> dict[str, Scalar]:
    """What an instance is."""
    sdk = SDKS[service.language]
    return {
        "service.name": name,
        "service.namespace": namespace,
        "service.instance.id": _uuid(random),
        "k8s.deployment.name": name,
        "container.id": random.bytes(32).hex(),
        "process.pid": int(random.integers(1, 60)),
        "process.runtime.name": sdk.runtime,
        "process.runtime.version": sdk.runtime_version,
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": service.language.value,
        "telemetry.sdk.version": sdk.version,
    }


def _resource(attributes: dict[str, Scalar]) -> bytes:
    return Resource(attributes=[key_value(key, value) for key, value in attributes.items()]).SerializeToString()
