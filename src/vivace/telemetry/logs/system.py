"""System logs: what the kernel and daemons of hosts tell."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from vivace.telemetry.encode import encode
from vivace.telemetry.logs.draft import LogType, Severity
from vivace.telemetry.logs.messages import Choice, filled, messages
from vivace.telemetry.logs.sources import HOSTS, RECEIVER
from vivace.telemetry.logs.telling import Telling

PROCESSES: Final = 2000
"""Process IDs are below this."""


def tell_system(telling: Telling, first_host: int) -> None:
    """Bodies, attributes and hosts of the system logs; the hosts are the batch's resources from `first_host` on."""
    columns, random = telling.columns, telling.random
    rows = telling.draft.rows(LogType.SYSTEM)
    programs = messages().system
    program = (random.random(rows.size) ** 1.5 * len(programs)).astype(np.int64)
    choice = Choice.of([patterns for messages_of in programs for patterns in messages_of.ranked])
    group = program * len(Severity) + telling.draft.severity[rows]
    texts = filled(choice.patterns, choice.draw(group, random), random)
    columns.body.add(rows, encode("AnyValue", {"string_value": texts}))
    columns.resource[rows] = first_host + random.integers(HOSTS, size=rows.size)
    columns.scope[rows] = telling.sources.scope(RECEIVER)
    attributes = columns.attributes
    attributes.add_choice(rows, "process.executable.name", [one.program for one in programs], program)
    attributes.add_choice(rows, "log.file.path", [one.file for one in programs], program)
    attributes.add_attribute(rows, "process.pid", pa.array(random.integers(2, PROCESSES, rows.size)))
