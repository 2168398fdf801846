"""A capture file -> template files: reads, replaces names where asked, gathers traces, normalises, writes."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.errors import OutputError
from vivace.telemetry.capture.anonymise import Anonymiser
from vivace.telemetry.capture.counts import Counts
from vivace.telemetry.capture.formats import Format, pieces
from vivace.telemetry.capture.normalise import grouped, request
from vivace.telemetry.capture.otlp import Telemetry
from vivace.telemetry.capture.records import Records
from vivace.telemetry.capture.refusal import Place
from vivace.telemetry.capture.settings import CaptureSettings
from vivace.telemetry.capture.spool import Spool
from vivace.telemetry.template import Signal, Template


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """What an import made."""

    formats: tuple[Format, ...]
    templates: dict[Signal, Path]
    """Those that the capture has telemetry for."""
    requests: dict[Signal, int]
    counts: Counts
    warnings: tuple[str, ...]
    """A sentence for each thing in the capture that is odd."""


def templates_from(capture: Path, prefix: Path, settings: CaptureSettings | None = None) -> CaptureReport:
    """Writes `<prefix>-traces.pb` with its index, `<prefix>-metrics.pb` and `<prefix>-logs.pb`, as far as captured.

    Each appears whole or not at all. In memory are one document or message (a JSON document takes some 10 times its
    bytes), the distinct resources and scopes, and spans that wait for the rest of their traces, up to `memory_bytes` or
    a 64th of the capture's spans, whichever is more. A capture in JSON lines or in protobuf may be larger than memory,
    a JSON document over many lines has to fit into it. The index needs some 200 bytes a span in the end.

    Raises TemplateError for a capture that cannot be read, OutputError when the templates cannot be written.
    """
    settings = settings or CaptureSettings()
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".capture-", dir=prefix.parent) as folder:
            conversion = _Conversion(Path(folder), settings)
            conversion.read(capture)
            return conversion.publish(prefix)
    except OSError as error:
        where = error.filename or prefix
        raise OutputError(
            f"{where}: cannot be written: {error.strerror or error}; choose another folder or make room"
        ) from error


class _Conversion:
    """One import; its files are in a folder of their own until they are complete."""

    def __init__(self, folder: Path, settings: CaptureSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._counts = Counts()
        self._formats: dict[Format, None] = {}
        self._spool = Spool(folder, settings.memory_bytes, self._counts)
        self._records: dict[Signal, Records] = {}
        self._requests: dict[Signal, int] = {}

    def read(self, capture: Path) -> None:
        """Reads the capture and writes all files. Raises TemplateError, OSError."""
        anonymise = Anonymiser(self._settings.seed) if self._settings.anonymise else None
        with ExitStack() as files:
            for piece in pieces(capture, self._settings.document_bytes):
                self._formats[piece.format] = None
                if anonymise is not None:
                    anonymise(piece.telemetry)
                self._add(piece.telemetry, files)
            for records in self._records.values():
                records.flush()
        self._write_traces()
        if not (self._counts.traces or self._records):
            raise Place(capture).refusal(self._emptiness(), "give one with spans, metrics or log records")

    def publish(self, prefix: Path) -> CaptureReport:
        """Moves complete files to where they belong."""
        templates = {}
        for signal in Signal:
            source = self._path(signal)
            if source.exists():
                templates[signal] = source.rename(prefix.with_name(f"{prefix.name}-{source.name}"))
                index = source.with_suffix(".index")
                if index.exists():
                    index.rename(templates[signal].with_suffix(".index"))
        requests = self._requests | {signal: records.requests for signal, records in self._records.items()}
        return CaptureReport(tuple(self._formats), templates, requests, self._counts, tuple(self._counts.warnings()))

    def _add(self, telemetry: Telemetry, files: ExitStack) -> None:
        if isinstance(telemetry, TracesData):
            self._spool.add(telemetry)
            return
        signal = Signal.METRICS if isinstance(telemetry, MetricsData) else Signal.LOGS
        if signal not in self._records:
            file = files.enter_context(self._path(signal).open("wb"))
            self._records[signal] = Records(file, self._settings, self._counts)
        self._records[signal].add(telemetry)

    def _write_traces(self) -> None:
        """Writes the template of the traces, if there are any, and its index."""
        earliest = self._spool.earliest if self._settings.keep_spacing else None
        path, number = self._path(Signal.TRACES), 0
        with path.open("wb") as file:
            for part in self._spool.parts():
                for group in grouped(part, self._spool.contexts, self._settings):
                    file.write(request(number, group, self._spool.contexts, earliest, self._counts))
                    number += 1
        if number:
            self._requests[Signal.TRACES] = len(Template.open(path))
        else:
            path.unlink()

    def _path(self, signal: Signal) -> Path:
        return self._folder / f"{signal}.pb"

    def _emptiness(self) -> str:
        left_out = self._counts.spans_without_id
        return f"holds only spans without valid IDs, {left_out} of them" if left_out else "holds no telemetry"
