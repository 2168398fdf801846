"""Text onto the disk, complete or not at all."""

from __future__ import annotations

from pathlib import Path

from vivace.errors import OutputError


def write_text(path: Path, text: str) -> Path:
    """Writes a file; OutputError when it cannot be written."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror}; make room, or name another folder") from error
    return path
