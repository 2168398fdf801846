"""Gathers the index of a template that is made part by part, so that it may be larger than memory."""

from __future__ import annotations

import tempfile
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from vivace.telemetry.arrays import Bytes, Numbers
from vivace.telemetry.template import Requests, Signal, Template, Values

LONG: Final = ("id_offset", "id_slot", "time_offset", "time_value")
"""What a template has of each span; the rest it has of each request."""
FRESH: Final = ("offset", "slot")
BOUNDS: Final = ("id_bounds", "time_bounds", "group_bounds")


class Parts:
    """The templates of consecutive parts. What grows with the spans waits in files without names, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        self._types: dict[str, npt.DTypeLike] = {}
        self._short: dict[str, list[npt.NDArray[np.generic]]] = {}
        self._bytes = 0
        self._fresh = False

    def add(self, part: Template) -> None:
        """Takes the next part. Raises OSError."""
        for name in LONG:
            self._append(name, getattr(part, name))
        for name in BOUNDS:
            self._keep(name, np.diff(getattr(part, name)))
        self._keep("groups", part.groups)
        self._keep("group_words", part.group_words)
        for field in fields(part.requests):
            column = getattr(part.requests, field.name)
            self._keep(f"requests.{field.name}", column + self._bytes if field.name in {"start", "stop"} else column)
        self._add_values(part)
        self._bytes += part.payload.size

    def _add_values(self, part: Template) -> None:
        fresh = part.values
        nothing = np.zeros(len(part), np.int64)
        self._keep("values.bounds", nothing if fresh is None else np.diff(fresh.bounds))
        self._keep("values.words", nothing.astype(np.int32) if fresh is None else fresh.words)
        if fresh is not None:
            self._fresh = True
            for name in FRESH:
                self._append(f"values.{name}", getattr(fresh, name))

    def whole(self, signal: Signal, payload: Bytes) -> Template:
        """The template of all parts, over their bytes; its long columns are mapped. Raises OSError."""
        values = None
        if self._fresh:
            offset, slot = (self._mapped(f"values.{name}") for name in FRESH)
            values = Values(offset, slot, self._bounds("values.bounds"), self._joined("values.words"))
        return Template(
            signal=signal,
            payload=payload,
            requests=Requests(**{field.name: self._joined(f"requests.{field.name}") for field in fields(Requests)}),
            id_offset=self._mapped("id_offset"),
            id_slot=self._mapped("id_slot"),
            id_bounds=self._bounds("id_bounds"),
            groups=self._joined("groups"),
            group_words=self._joined("group_words"),
            group_bounds=self._bounds("group_bounds"),
            time_offset=self._mapped("time_offset"),
            time_value=self._mapped("time_value"),
            time_bounds=self._bounds("time_bounds"),
            values=values,
        )

    def close(self) -> None:
        """Forgets the files."""
        for file in self._files.values():
            file.close()

    def _joined(self, name: str) -> npt.NDArray[Any]:
        return np.concatenate(self._short[name])

    def _bounds(self, name: str) -> Numbers:
        return np.append(0, np.cumsum(np.concatenate(self._short[name]))).astype(np.int64)

    def _mapped(self, name: str) -> npt.NDArray[Any]:
        file = self._files[name]
        file.flush()
        if not file.tell():
            return np.zeros(0, self._types[name])  # nothing can be mapped
        return np.asarray(np.memmap(file, self._types[name], "r"))

    def _append(self, name: str, column: npt.NDArray[np.generic]) -> None:
        if name not in self._files:
            self._files[name] = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - close() closes it
            self._types[name] = column.dtype
        self._files[name].write(np.ascontiguousarray(column).data)

    def _keep(self, name: str, column: npt.NDArray[np.generic]) -> None:
        self._short.setdefault(name, []).append(column)
