"""Generates everything that a configuration or a capture asks for; all files of it appear together, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from vivace.telemetry.capture.capture import templates_from
from vivace.telemetry.capture.settings import CaptureSettings
from vivace.telemetry.configuration import GeneratorConfiguration
from vivace.telemetry.generate import write_traces
from vivace.telemetry.logs.generate import generate_logs
from vivace.telemetry.metrics.generate import generate_metrics
from vivace.telemetry.settings import TraceSettings
from vivace.telemetry.stage import Description, Files, Stage, staged
from vivace.telemetry.template import Signal


def generate(configuration: GeneratorConfiguration, files: Files) -> Description:
    """Writes `<prefix>-traces.pb`, `-metrics.pb` and `-logs.pb` as far as asked for, and `<prefix>-metadata.yaml`.

    Gives what the last says. Raises OutputError, and ConfigurationError when there would be more bytes than allowed.
    """
    with staged(files) as stage:
        made = dict(_made(configuration, stage))
        for path, description in made.items():
            stage.add(path, description)
        return stage.publish({"seed": configuration.seed})


def _made(configuration: GeneratorConfiguration, stage: Stage) -> Iterator[tuple[Path, Description]]:
    """Templates, plain and with an index; metrics and logs refer to the traces, where there are any."""
    settings, traces, graph = configuration.trace_settings(), None, None
    if settings is not None:
        described = asdict(write_traces(settings, stage.prefix, _watched(settings, stage)))
        traces, graph = stage.template(Signal.TRACES), settings.graph
        yield traces, described
    if metrics := configuration.metrics_settings():
        stage.files.watch("metrics", 0, 0)
        services = tuple(graph.services) if graph else ()
        yield stage.template(Signal.METRICS), asdict(generate_metrics(metrics, stage.prefix, services, traces))
    if logs := configuration.logs_settings():
        stage.files.watch("logs", 0, 0)
        yield stage.template(Signal.LOGS), asdict(generate_logs(logs, stage.prefix, graph, traces))


def _watched(settings: TraceSettings, stage: Stage) -> Callable[[int, int], None]:
    def watch(traces: int, written: int) -> None:
        stage.check(Signal.TRACES, written / traces * settings.traces)
        stage.files.watch("traces", traces, settings.traces)

    return watch


def import_capture(capture: Path, settings: CaptureSettings, files: Files) -> Description:
    """The same of a capture. Raises TemplateError when it cannot be read."""
    with staged(files) as stage:
        files.watch(f"reading {capture.name}", 0, 0)
        report = templates_from(capture, stage.prefix, settings)
        for path in report.templates.values():
            stage.add(path, {})
        origin: Description = {"capture": capture.name, "formats": [str(each) for each in report.formats]}
        return stage.publish(origin | {"anonymised": settings.anonymise, "warnings": list(report.warnings)})
