"""Generates telemetry part by part, in memory, for a sender that needs no files."""

from __future__ import annotations

from collections.abc import Iterator

from vivace.telemetry.configuration import GeneratorConfiguration
from vivace.telemetry.correlation import TracePool
from vivace.telemetry.generate import stream_traces
from vivace.telemetry.logs.generate import LogSource
from vivace.telemetry.metrics.generate import MetricSource
from vivace.telemetry.settings import TraceSettings
from vivace.telemetry.template import Signal, Template


def stream_templates(
    configuration: GeneratorConfiguration, signal: Signal = Signal.TRACES, *, endless: bool = False
) -> Iterator[Template]:
    """What the configuration asks for of a signal, as templates of some ten thousand items; nothing if it does not.

    Send request j of part k (both from 0) as number `k * len(part) + j` of that part: then no ID comes twice. Endless:
    after the last part there are always more, of traces other ones. Log records have trace IDs of their own.
    """
    while True:
        nothing = True
        for part in _parts(configuration, signal, endless):
            nothing = False
            yield part
        if nothing or not endless:
            return


def _parts(configuration: GeneratorConfiguration, signal: Signal, endless: bool) -> Iterator[Template]:
    traces = configuration.trace_settings()
    if signal is Signal.TRACES:
        if traces is not None:
            yield from stream_traces(traces, endless)
        return
    metrics, logs = configuration.metrics_settings(), configuration.logs_settings()
    shown = traces or TraceSettings(seed=configuration.seed)
    if signal is Signal.METRICS and metrics is not None:
        yield from MetricSource(metrics, tuple(shown.graph.services), None).templates()
    elif signal is Signal.LOGS and logs is not None:
        pool = TracePool(next(stream_traces(shown)), "generated traces")
        yield from LogSource(logs, pool, own_ids=True).templates()
