"""Where the generator runs: cores that it may use, memory, kernel, versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

from vivace.measure.figures import Machine

LIBRARIES: Final = ("vivace", "numpy", "polars", "pyarrow", "grpcio", "protobuf")
_CGROUP: Final = Path("/sys/fs/cgroup")
_CPU_INFO: Final = Path("/proc/cpuinfo")


def this_machine() -> Machine:
    """The machine, or the part of it that this process may use."""
    return Machine(
        cores=usable_cores(),
        memory_bytes=min(_memory_limits()),
        cpu=_cpu_model(_read(_CPU_INFO)) or platform.processor() or None,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        versions={library: version(library) for library in LIBRARIES},
    )


def usable_cores() -> float:
    """Cores by affinity and by the quota of the control group, whichever is less."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(float(affinity), cpu_quota(_read(_CGROUP / "cpu.max")) or float(affinity))


def cpu_quota(text: str) -> float | None:
    """Cores that a control group's cpu.max grants ("50000 100000" is half a core); None when it sets no limit."""
    quota, _, period = text.strip().partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _memory_limits() -> Iterator[int]:
    yield psutil.virtual_memory().total
    limit = _read(_CGROUP / "memory.max").strip()
    if limit.isdigit():
        yield int(limit)


def _cpu_model(text: str) -> str | None:
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, None)


def _read(path: Path) -> str:
    """The text of a file of the kernel's; empty where this system has none."""
    try:
        return path.read_text()
    except OSError:
        return ""
