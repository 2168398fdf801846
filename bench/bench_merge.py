"""How fast log records become tables and tables become one, without repeated spans, with them, and with many keys."""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from vivace.backend.store.batch import Batch, concatenate
from vivace.backend.store.decode import arrange
from vivace.backend.store.flatten import flatten
from vivace.backend.store.merge import merge
from vivace.backend.store.repeats import without_repeats
from vivace.backend.store.tables import Tables
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Template

SEED = 7
UNITS = 8
KEYS = 20_000
KEYS_PER_SPAN = 8


def main() -> None:
    """Prints a line of JSON for each figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--spans", type=int, default=500_000)
    arguments.add_argument("--rounds", type=int, default=5, help="how often each is done; the best counts")
    options = arguments.parse_args()
    batches = medium(options.spans)
    whole, parts = concatenate(batches), [arrange(concatenate(batches[place::UNITS])) for place in range(UNITS)]
    tables = arrange(whole)
    count = tables.spans.num_rows
    say("arrange", best(lambda: arrange(whole), options.rounds), count)
    say("merge", best(lambda: merge(parts), options.rounds), count, units=UNITS)
    say("look_for_repeats", best(lambda: without_repeats(tables), options.rounds), count)
    again = [tables, arrange(whole)]
    say("merge_repeated", best(lambda: merge(again), options.rounds), count)
    many = [arrange(flatten([of_many_keys(place, count // 4 // UNITS)])) for place in range(UNITS)]
    say("merge_many_keys", best(lambda: merge(many), options.rounds), rows(many), mb=round(merge(many).nbytes / 1e6))


def medium(spans: int) -> list[Batch]:
    """Requests of the medium profile, a few dozen to a batch."""
    with tempfile.TemporaryDirectory() as scratch:
        generate_traces(TraceSettings(profile="medium", traces=2000, traces_per_request=20), Path(scratch, "medium"))
        template = Template.open(Path(scratch, "medium-traces.pb"))
        items = [int(template.requests.items[number]) for number in range(len(template))]
        wanted = spans * len(items) // sum(items)
        requests = [sent_request(template, SEED, number, time.time_ns()) for number in range(wanted)]
    return [flatten(requests[first : first + 40]) for first in range(0, len(requests), 40)]


def of_many_keys(seed: int, spans: int) -> bytes:
    """Spans with a few of very many attribute keys each."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    made = ExportTraceServiceRequest()
    added = made.resource_spans.add().scope_spans.add().spans
    for number in range(spans):
        trace_id = draw.randbytes(16) if number % 10 == 0 else added[-1].trace_id
        one = added.add(trace_id=trace_id, span_id=draw.randbytes(8), start_time_unix_nano=1 + number)
        for key in draw.sample(range(KEYS), KEYS_PER_SPAN):
            one.attributes.add(key=f"key.{key}").value.int_value = number
    return made.SerializeToString()


def rows(parts: Sequence[Tables]) -> int:
    return sum(part.spans.num_rows for part in parts)


def best(action: Callable[[], object], rounds: int) -> float:
    """CPU seconds."""
    taken = []
    for _ in range(rounds):
        before = time.process_time()
        action()
        taken.append(time.process_time() - before)
    return min(taken)


def say(name: str, seconds: float, spans: int, **more: object) -> None:
    line = {
        "name": f"store_{name}",
        "value": round(seconds / spans * 1e6, 3),
        "unit": "CPU s per million spans",
        **more,
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
