"""Where templates lie while they are made: a folder of its own beside the place where all of them appear at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from vivace import __version__
from vivace.errors import ConfigurationError
from vivace.telemetry.compressed import SUFFIX, compress
from vivace.telemetry.index import copy_index
from vivace.telemetry.otlp_json import json_lines
from vivace.telemetry.publish import gzip_ratio, write_parts, writing
from vivace.telemetry.template import Signal, Template
from vivace.units import format_size

ITEMS: Final[Mapping[Signal, tuple[str, str]]] = {
    Signal.TRACES: ("spans", "span"),
    Signal.METRICS: ("data_points", "data_point"),
    Signal.LOGS: ("records", "record"),
}
"""What a signal's items are called."""
ENDINGS: Final = (".pb", ".index", ".json", f".pb{SUFFIX}", ".pb.index")
"""Of files that may be left of an earlier time."""

Description = dict[str, Any]
Watch = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is in all (0: nobody knows)."""


def unwatched(_what: str, _done: int, _total: int) -> None:
    """For whom nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Which files are written."""

    prefix: Path
    with_json: bool = False
    compressed: bool = False
    limit: int = 1 << 62
    """Bytes of all templates together."""
    watch: Watch = field(default=unwatched)


class Stage:
    """The files of one generation until they are complete."""

    def __init__(self, folder: Path, files: Files) -> None:
        self.prefix = folder / files.prefix.name
        self.files = files
        self._folder = folder
        self._described: dict[Signal, Description] = {}

    def template(self, signal: Signal) -> Path:
        """Where a signal's template is written."""
        return self.prefix.with_name(f"{self.prefix.name}-{signal}.pb")

    def check(self, signal: Signal, size: float) -> None:
        """ConfigurationError when that many bytes of a signal are too many."""
        others = sum(described["bytes"] for described in self._described.values())
        if others + size > self.files.limit:
            raise ConfigurationError(
                f"output.limit: {signal} would bring the templates to {format_size(others + size)}, over the limit of "
                f"{format_size(self.files.limit)}; ask for less, or raise the limit"
            )

    def add(self, path: Path, description: Description) -> None:
        """Takes a template that was written, with what is known of it."""
        template = Template.open(path)
        self._described[template.signal] = described = _figures(template, path.name) | description
        self.check(template.signal, 0)
        if self.files.with_json:
            self._write_json(template, path)
        if self.files.compressed:
            packed = path.with_name(path.name + SUFFIX)
            self.files.watch(f"compressing {template.signal}", 0, 0)
            compress(path, packed)
            copy_index(template, packed)
            described |= {"template": packed.name, "compressed_bytes": packed.stat().st_size}
            path.unlink()
            path.with_suffix(".index").unlink()

    def publish(self, origin: Description) -> Description:
        """Moves everything to where it belongs; gives what the metadata file says."""
        memory = sum(described["sender_memory_bytes"] for described in self._described.values())
        metadata: Description = {"vivace": __version__, **origin, "sender_memory_bytes": memory}
        metadata |= {str(signal): described for signal, described in self._described.items()}
        text = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)
        write_parts(self.prefix.with_name(f"{self.prefix.name}-metadata.yaml"), [text.encode()])
        made = sorted(path for path in self._folder.iterdir() if path.is_file())
        target = self.files.prefix.parent
        for path in made:
            path.replace(target / path.name)
        for signal in self._described:
            for ending in ENDINGS:
                former = target / f"{self.prefix.name}-{signal}{ending}"
                if former.name not in {path.name for path in made}:
                    former.unlink(missing_ok=True)
        return metadata

    def _write_json(self, template: Template, path: Path) -> None:
        def watched() -> Iterator[bytes]:
            for number, line in enumerate(json_lines(template)):
                self.files.watch(f"writing {template.signal} as JSON", number, len(template))
                yield line

        write_parts(path.with_suffix(".json"), watched())


@contextmanager
def staged(files: Files) -> Iterator[Stage]:
    """A stage that leaves nothing behind but what it published. OutputError when files cannot be written."""
    with writing(files.prefix), tempfile.TemporaryDirectory(prefix=".generate-", dir=files.prefix.parent) as folder:
        yield Stage(Path(folder), files)


def _figures(template: Template, name: str) -> Description:
    """What there is to say of any template."""
    items, item = ITEMS[template.signal]
    count = int(template.requests.items.sum())
    traces = {"traces": int(template.requests.traces.sum())} if template.signal is Signal.TRACES else {}
    return {
        "template": name,
        "signal": template.signal.value,
        **traces,
        items: count,
        "requests": len(template),
        "bytes": int(template.payload.size),
        f"bytes_per_{item}": round(template.payload.size / count, 1),
        "gzip_ratio": round(gzip_ratio(template, 1), 2),
        "sender_memory_bytes": template.bytes_in_memory,
    }
