"""A capture file -> template files: reads, replaces names where asked, gathers traces, normalises, writes."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.errors import OutputError
from vivace.telemetry.capture.anonymise import Anonymiser
from vivace.telemetry.capture.counts import ACCEPTED_BYTES, Counts
from vivace.telemetry.capture.formats import Format, pieces
from vivace.telemetry.capture.mentions import Mentions
from vivace.telemetry.capture.normalise import Normaliser, grouped
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
    """Writes `<prefix>-traces.pb`, `<prefix>-metrics.pb` and `<prefix>-logs.pb`, as far as captured, and their indexes.

    Each appears whole or not at all. In memory are one document or message (a JSON document takes some 10 times its
    bytes), the distinct resources and scopes, the IDs that metrics and logs refer to, and spans that wait for the rest
    of their traces, up to `memory_bytes` or a 64th of the capture's spans, whichever is more. A capture in JSON lines
    or in protobuf may thus be larger than memory; a JSON document over many lines has to fit into it. Making the index
    in the end takes some 1 kB a span.

    Raises TemplateError for a capture that cannot be read, OutputError when the templates cannot be written.
    """
    settings = settings or CaptureSettings()
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".capture-", dir=prefix.parent) as folder:
            conversion = _Conversion(Path(folder), settings)
            with _without_collector():
                conversion.read(capture)
            return conversion.publish(prefix)
    except OSError as error:
        where = error.filename or prefix
        raise OutputError(
            f"{where}: cannot be written: {error.strerror or error}; choose another folder or make room"
        ) from error


@contextmanager
def _without_collector() -> Iterator[None]:
    """Documents are millions of objects without cycles; looking for cycles in them takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Conversion:
    """One import; its files are in a folder of their own until they are complete."""

    def __init__(self, folder: Path, settings: CaptureSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._counts = Counts()
        self._formats: dict[Format, None] = {}
        self._spool = Spool(folder, settings.memory_bytes, self._counts)
        self._mentions = Mentions()
        self._records: dict[Signal, Records] = {}
        self._requests: dict[Signal, int] = {}
        self._trace_groups = 0

    def read(self, capture: Path) -> None:
        """Reads the capture and writes all templates. Raises TemplateError, OSError."""
        anonymise = Anonymiser(self._settings.seed) if self._settings.anonymise else None
        with ExitStack() as files:
            for piece in pieces(capture, self._settings.document_bytes):
                self._formats[piece.format] = None
                if anonymise is not None:
                    anonymise(piece.telemetry)
                self._add(piece.telemetry, files)
            self._write(Signal.TRACES, self._trace_requests())
            if self._requests.get(Signal.TRACES) != self._trace_groups:
                self._mentions.forget()  # where the index cut requests otherwise, their IDs are others
            for signal, records in self._records.items():
                self._write(signal, records.requests(self._settings, self._counts))
        if not self._requests:
            raise Place(capture).refusal(self._emptiness(), "give one with spans, metrics or log records")

    def publish(self, prefix: Path) -> CaptureReport:
        """Moves the templates, which are complete, to where they belong."""
        templates = {}
        for signal in self._requests:
            source = self._path(signal)
            templates[signal] = source.rename(prefix.with_name(f"{prefix.name}-{source.name}"))
            source.with_suffix(".index").rename(templates[signal].with_suffix(".index"))
        return CaptureReport(
            tuple(self._formats), templates, self._requests, self._counts, tuple(self._counts.warnings())
        )

    def _add(self, telemetry: Telemetry, files: ExitStack) -> None:
        if isinstance(telemetry, TracesData):
            self._spool.add(telemetry)
            return
        signal, item = (Signal.METRICS, Metric) if isinstance(telemetry, MetricsData) else (Signal.LOGS, LogRecord)
        if signal not in self._records:
            self._records[signal] = Records(self._folder / f"{signal}.items", item, self._mentions)
            files.callback(self._records[signal].close)
        self._records[signal].add(telemetry)

    def _trace_requests(self) -> Iterator[bytes]:
        earliest = self._spool.earliest if self._settings.keep_spacing else None
        contexts = self._spool.contexts
        normaliser = Normaliser(contexts, self._mentions, self._counts, earliest)
        groups = (group for part in self._spool.parts() for group in grouped(part, contexts, self._settings))
        for number, group in enumerate(groups):
            self._trace_groups = number + 1
            yield normaliser.request(number, group)

    def _write(self, signal: Signal, requests: Iterator[bytes]) -> None:
        """Writes a template and its index, unless there is nothing to write."""
        path = self._path(signal)
        with path.open("wb") as file:
            written = sum(file.write(data) for data in requests)
        if written:
            requests_of = Template.open(path).requests
            self._requests[signal] = len(requests_of)
            self._counts.large_requests += int((requests_of.stop - requests_of.start > ACCEPTED_BYTES).sum())
            self._counts.longest_ns = max(self._counts.longest_ns, int(requests_of.span_ns.max()))

    def _path(self, signal: Signal) -> Path:
        return self._folder / f"{signal}.pb"

    def _emptiness(self) -> str:
        left_out = self._counts.spans_without_id
        return f"holds only spans without valid IDs, {left_out} of them" if left_out else "holds no telemetry"
