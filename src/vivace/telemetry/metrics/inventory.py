"""What is measured of: hosts, nodes, pods, containers, workloads and instances of services, as OTLP resources.

The same name belongs together everywhere: pod 7 runs on node 7 of as many as there are, and container 7 in pod 7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import shake_128
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.attributes import Scalar, key_value
from vivace.telemetry.metrics.catalogue import APPLICATIONS

Attributes: TypeAlias = dict[str, Scalar]

NODES: Final = 60
"""That pods run on; hosts and nodes of their own can be more."""
CLUSTER: Final = {"k8s.cluster.name": "eu-prod-1"}
REGION: Final = "eu-central-1"
NAMESPACES: Final = ("shop", "payments", "platform", "monitoring", "ingress", "data")
EXECUTABLES: Final = ("java", "node", "postgres", "redis-server", "nginx", "kubelet", "containerd", "python3", "envoy")
TYPES: Final = ("m7i.2xlarge", "m7i.4xlarge", "c7g.4xlarge", "r7g.2xlarge")
SHORT: Final = 5
"""Letters at the end of a pod's name."""
UUID: Final = 16
"""Bytes."""
CONSONANTS: Final = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Pool:
    """Resources number first, first + step, … of a kind."""

    kind: str
    first: int
    step: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """Names everything there is; the seed decides what names and IDs are drawn."""

    services: tuple[str, ...]
    seed: int

    def pool(self, resource: str) -> Pool:
        """Where a metric's resources are, see Definition.resource."""
        kind, _, service = resource.partition(":")
        return Pool(kind, self.services.index(service), len(self.services)) if service else Pool(kind, 0, 1)

    def encoded(self, kind: str, count: int) -> pa.Array:
        """The first `count` resources of a kind: binary."""
        return pa.array([self._encoded(kind, number) for number in range(count)], pa.binary())

    def attributes(self, kind: str, number: int) -> Attributes:
        """Attributes of one resource."""
        kinds: dict[str, Callable[[int], Attributes]] = {
            "host": self._host,
            "process": self._process,
            "node": self._node,
            "pod": self._pod,
            "container": self._container,
            APPLICATIONS: self._instance,
        }
        return kinds[kind](number) if kind in kinds else self._object(kind, number)

    def _encoded(self, kind: str, number: int) -> bytes:
        attributes = [key_value(key, value) for key, value in self.attributes(kind, number).items()]
        return Resource(attributes=attributes).SerializeToString()

    def _host(self, number: int) -> Attributes:
        return {
            "host.name": _host_name(number),
            "host.id": f"i-0{self._drawn('host', number, 8).hex()}",
            "host.type": TYPES[number % len(TYPES)],
            "host.arch": "arm64" if "g." in TYPES[number % len(TYPES)] else "amd64",
            "os.type": "linux",
            "cloud.provider": "aws",
            "cloud.region": REGION,
            "cloud.availability_zone": f"{REGION}{'abc'[number % 3]}",
        }

    def _process(self, number: int) -> Attributes:
        executable = EXECUTABLES[number % len(EXECUTABLES)]
        return {
            "host.name": _host_name(number // len(EXECUTABLES)),
            "os.type": "linux",
            "process.pid": 300 + 41 * number,
            "process.parent_pid": 1,
            "process.executable.name": executable,
            "process.executable.path": f"/usr/bin/{executable}",
            "process.command": f"/usr/bin/{executable}",
            "process.owner": "root" if executable in {"kubelet", "containerd"} else executable,
        }

    def _node(self, number: int) -> Attributes:
        name = f"{_host_name(number)}.{REGION}.compute.internal"
        return {**CLUSTER, "k8s.node.name": name, "k8s.node.uid": _uuid(self._drawn("node", number, UUID))}

    def _pod(self, number: int) -> Attributes:
        service = self._service(number)
        drawn = self._drawn("pod", number, UUID + SHORT)
        return {
            **CLUSTER,
            "k8s.namespace.name": NAMESPACES[number % len(self.services) % len(NAMESPACES)],
            "k8s.node.name": f"{_host_name(number % NODES)}.{REGION}.compute.internal",
            "k8s.deployment.name": service,
            "k8s.pod.name": f"{service}-{self._hash(service)}-{_letters(drawn[UUID:])}",
            "k8s.pod.uid": _uuid(drawn[:UUID]),
        }

    def _container(self, number: int) -> Attributes:
        service = self._service(number)
        return {
            **self._pod(number),
            "k8s.container.name": service,
            "container.id": self._drawn("container", number, 32).hex(),
            "container.image.name": f"registry.shop.example/{service}",
            "container.image.tags": (f"v{1 + number % 7}.{number % 20}.0",),
            "container.runtime.name": "containerd",
        }

    def _instance(self, number: int) -> Attributes:
        service = self._service(number)
        drawn = self._drawn(APPLICATIONS, number, UUID + SHORT)
        return {
            "service.name": service,
            "service.namespace": "shop",
            "service.version": f"{1 + len(service) % 6}.{len(service)}.{number % 3}",
            "service.instance.id": _uuid(drawn[:UUID]),
            "deployment.environment.name": "production",
            **CLUSTER,
            "k8s.namespace.name": "shop",
            "k8s.node.name": f"{_host_name(number % NODES)}.{REGION}.compute.internal",
            "k8s.pod.name": f"{service}-{self._hash(service)}-{_letters(drawn[UUID:])}",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.language": "java",
            "telemetry.sdk.version": "1.55.0",
        }

    def _object(self, kind: str, number: int) -> Attributes:
        """Workloads and other objects of a cluster: its name and its UID."""
        word = {"quota": "resourcequota", "kubernetes_service": "service"}.get(kind, kind)
        namespace = NAMESPACES[number % len(NAMESPACES)]
        name = f"{self._service(number)}-{number // len(self.services)}" if kind != "namespace" else f"team-{number}"
        attributes: Attributes = {**CLUSTER}
        if kind not in {"namespace", "persistentvolume"}:
            attributes["k8s.namespace.name"] = namespace
        return attributes | {f"k8s.{word}.name": name, f"k8s.{word}.uid": _uuid(self._drawn(kind, number, UUID))}

    def _service(self, number: int) -> str:
        return self.services[number % len(self.services)]

    def _hash(self, service: str) -> str:
        return _letters(self._drawn(f"replicaset {service}", 0, 9))

    def _drawn(self, kind: str, number: int, size: int) -> bytes:
        """Bytes that look random: the same for the same thing."""
        return shake_128(f"{self.seed} {kind} {number}".encode()).digest(size)


def uptimes(random: np.random.Generator, count: int, longest_ns: int) -> Numbers:
    """For how long the resources have been running: from ten minutes on, mostly some days."""
    drawn = random.lognormal(np.log(1.5 * 86_400e9), 1.1, count)
    return np.clip(drawn, 600e9, longest_ns).astype(np.int64)


def _host_name(number: int) -> str:
    return f"ip-10-{number // 250 // 250}-{number // 250 % 250}-{number % 250 + 4}"


def _letters(drawn: bytes) -> str:
    return "".join(CONSONANTS[byte % len(CONSONANTS)] for byte in drawn)


def _uuid(drawn: bytes) -> str:
    text = drawn.hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
