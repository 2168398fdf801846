"""CPU time and memory of processes by role, each with the processes it started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import psutil

from vivace.measure.metrics import CPU_SECONDS, MEMORY_BYTES, Sample, Source, label_text


class Role(NamedTuple):
    """What a process is for, and on whose side."""

    source: Source
    name: str


class ProcessWatch:
    """Samples the processes it was told of; a process counts for the nearest watched one that (indirectly) started it.

    The CPU time of a role never decreases: what an ended process had used stays counted.
    """

    def __init__(self) -> None:
        self._roles: dict[int, Role] = {}
        self._processes: dict[int, psutil.Process] = {}
        self._used: dict[Role, dict[tuple[int, float], float]] = {}

    def watch(self, source: Source, name: str, pid: int) -> None:
        """Counts a process, and what it starts, from the next sample on."""
        role = Role(source, name)
        self._roles[pid] = role
        self._used.setdefault(role, {})

    def sample(self) -> list[Sample]:
        """CPU seconds so far and resident bytes now, of every role that was ever alive."""
        memory = dict.fromkeys(self._used, 0)
        for process, role in self._members():
            try:
                with process.oneshot():
                    times, resident = process.cpu_times(), process.memory_info().rss
                    key = (process.pid, process.create_time())
            except psutil.Error:
                continue
            self._used[role][key] = times.user + times.system
            memory[role] += resident
        return list(self._samples(memory))

    def _samples(self, memory: Mapping[Role, int]) -> Iterator[Sample]:
        for role, used in list(self._used.items()):
            if used:
                labels = label_text({"process": role.name})
                yield Sample(role.source, CPU_SECONDS, labels, sum(used.values()))
                yield Sample(role.source, MEMORY_BYTES, labels, memory[role])

    def _members(self) -> Iterator[tuple[psutil.Process, Role]]:
        """Every living process that counts for some role."""
        roles = dict(self._roles)
        processes = {process.pid: process for process in psutil.process_iter(["ppid"])}
        parents = {pid: int(process.info["ppid"] or 0) for pid, process in processes.items()}
        for pid, process in processes.items():
            ancestor = pid
            while ancestor not in roles and ancestor in parents and ancestor:
                ancestor = parents[ancestor]
            if ancestor in roles:
                yield process, roles[ancestor]
