"""Invents a system where only the number or names of its services are given: who calls whom, and what each does."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from vivace.telemetry.topology import Language, Topology

STREAM: Final = 0x7669_7661_6365_0011
"""Second half of the generator's key: telemetry itself draws from other streams of the same seed."""
OWNS_STORE: Final = 0.6
SECOND_CALLER: Final = 0.35
CONSUMES: Final = 0.2
"""Chance that a service also consumes messages of another."""
LANGUAGES: Final = tuple(Language)
STORES: Final = (
    (
        "postgresql",
        5432,
        2.6,
        "SELECT {}",
        "SELECT id, state FROM {} WHERE id = $1",
        "UPDATE {}",
        "UPDATE {} SET state = $1",
    ),
    (
        "mysql",
        3306,
        2.9,
        "SELECT {}",
        "SELECT * FROM {} WHERE id = ?",
        "INSERT {}",
        "INSERT INTO {} (id, state) VALUES (?, ?)",
    ),
    ("redis", 6379, 0.4, "GET", "GET {}:?", "SET", "SET {}:? ? EX 300"),
    ("mongodb", 27017, 1.8, "find {}", '{{"find":"{}","filter":{{"_id":"?"}}}}', "update {}", '{{"update":"{}"}}'),
)
"""System, port, median time, and summary and text of a query that reads and of one that writes."""
_Document = dict[str, Any]


def invent(count: int, names: Sequence[str], ingress: Sequence[str], seed: int) -> Topology:
    """`count` services, of which the first have these names; traces start at `ingress`, else at the first service.

    Every service is reached from there, without circles.
    """
    random = np.random.Generator(np.random.Philox(key=np.array([seed, STREAM], np.uint64)))
    every = [*names, *(f"service-{number}" for number in range(len(names) + 1, count + 1))]
    entries = list(ingress) or every[:1]
    services = {name: _service(name, name in entries, random) for name in every}
    reached = list(entries)
    for name in every:
        if name not in entries:
            _connect(services, reached, name, random)
            reached.append(name)
    return Topology.model_validate_json(json.dumps({"name": "app", "services": services}))


def _connect(services: dict[str, _Document], callers: list[str], name: str, random: np.random.Generator) -> None:
    """Lets one service that is reached call another, often a second one too; some also consume messages."""
    count = 1 + (len(callers) > 1 and random.random() < SECOND_CALLER)
    for caller in random.choice(len(callers), count, replace=False).tolist():
        services[callers[caller]]["calls"][name] = int(random.integers(1, 6))
    if random.random() < CONSUMES:
        publisher = callers[int(random.integers(len(callers)))]
        services[publisher]["topics"].setdefault(f"{_slug(publisher)}.events", []).append(name)


def _service(name: str, is_entry: bool, random: np.random.Generator) -> _Document:
    slug = _slug(name)
    title = "".join(part.capitalize() for part in slug.split("_"))
    rpc = f"app.{slug}.v1.{title}Service"
    http = [f"GET /{slug}", f"GET /{slug}/{{id}}", f"POST /{slug}"]
    document: _Document = {
        "ingress": int(is_entry),
        "language": LANGUAGES[int(random.integers(len(LANGUAGES)))].value,
        "versions": [f"{random.integers(1, 9)}.{random.integers(20)}.{random.integers(10)}"],
        "instances": int(random.integers(1, 7)),
        "port": 8080 if is_entry else 9090,
        "own_ms": round(float(random.lognormal(0.8, 0.6)), 2),
        "endpoints": http if is_entry else [f"{rpc}/Get", f"{rpc}/List", f"{rpc}/Update"],
        "calls": {},
        "topics": {},
        "internal": [f"{slug}.{step}" for step in ("validate", "process", "respond")],
        "attributes": {f"app.{slug}.id": "id", f"app.{slug}.items": "count"},
    }
    if random.random() < OWNS_STORE:
        document["stores"] = [_store(slug, random)]
    return document


def _store(slug: str, random: np.random.Generator) -> _Document:
    system, port, own_ms, *texts = STORES[int(random.integers(len(STORES)))]
    read, reading, write, writing = (str(text).format(slug) for text in texts)
    address = f"{slug.replace('_', '-')}-{system}.app.svc.cluster.local"
    queries = {read: reading, write: writing}
    return {
        "system": system,
        "namespace": slug,
        "address": address,
        "port": port,
        "own_ms": own_ms,
        "operations": queries,
    }


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "service"
