"""Templates as zstd files: made from a template that is written, and unpacked into a mapped file when one is opened."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import IO, Final

import numpy as np
import pyarrow as pa

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes

SUFFIX: Final = ".zst"
CHUNK_BYTES: Final = 1 << 20


def is_compressed(path: Path) -> bool:
    """Whether the file's name says so."""
    return path.suffix == SUFFIX


def compress(source: Path, target: Path) -> None:
    """Writes a compressed copy. Raises OSError."""
    with source.open("rb") as plain, pa.output_stream(str(target), compression="zstd") as packed:
        while chunk := plain.read(CHUNK_BYTES):
            packed.write(chunk)


def unpacked(path: Path) -> Bytes:
    """The bytes in a compressed file, in a file without a name beside it that lives as long as they are used.

    Where nothing can be written it lies in the system's folder for temporary files. Raises TemplateError, OSError.
    """
    with _nameless(path.parent) as plain:
        try:
            with pa.input_stream(str(path), compression="zstd") as packed:
                shutil.copyfileobj(packed, plain, CHUNK_BYTES)
        except pa.ArrowInvalid as error:
            raise _refusal(path) from error
        except OSError as error:
            if error.errno is None:
                raise _refusal(path) from error
            raise
        plain.flush()
        if not plain.tell():
            raise TemplateError(f"{path}: holds nothing; generate it again")
        return np.asarray(np.memmap(plain, np.uint8, "r"))


def _refusal(path: Path) -> TemplateError:
    return TemplateError(f"{path}: is not zstd, or truncated; generate it again, or give the .pb file")


def _nameless(folder: Path) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError:
        return tempfile.TemporaryFile()
