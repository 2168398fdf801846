"""Puts generated files where they belong, each of them whole or not at all, and tells how well they compress."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vivace.errors import OutputError
from vivace.telemetry.index import index_parts
from vivace.telemetry.parts import Parts
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import EPOCH_NS, Signal, Template

SOME_TIME_NS = 1_800_000_000 * EPOCH_NS


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What is written in here: OutputError, naming the place and the remedy, when it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        where = error.filename or path
        raise OutputError(
            f"{where}: cannot be written: {error.strerror or error}; choose another folder or make room"
        ) from error


def write_parts(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Writes a file that appears when it is complete. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_template(path: Path, templates: Iterable[Template], signal: Signal) -> Template:
    """Writes a template that is made part by part, and its index. Raises OutputError."""
    with writing(path):
        parts = Parts(path.parent)
        try:
            write_parts(path, _gathered(templates, parts))
            return index_parts(path, parts, signal)
        finally:
            parts.close()


def _gathered(templates: Iterable[Template], parts: Parts) -> Iterator[memoryview]:
    for template in templates:
        parts.add(template)
        yield template.payload.data


def gzip_ratio(template: Template, seed: int) -> float:
    """Size of the middle request as sent, over its size compressed with gzip."""
    sent = sent_request(template, seed, len(template) // 2, SOME_TIME_NS)
    return len(sent) / len(zlib.compress(sent))
