"""One process of the backend, seen from its supervisor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from vivace import errors
from vivace.backend.serve.settings import ServeSettings
from vivace.errors import TargetError, VivaceError


class Process:
    """A child process; it stops when told to, and when its supervisor is gone."""

    def __init__(self, role: str, settings: ServeSettings, log: BinaryIO | None = None) -> None:
        """What it has to say to people goes to the log, else to this process's standard error."""
        self.role = role
        self._where = " above" if log is None else f" in {log.name}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vivace.backend.serve.child", role, settings.encode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # no process multiplies matrices
            start_new_session=True,  # an interrupt from the terminal is for the supervisor
        )
        self._said: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._listener = Thread(target=self._listen, name=f"listen-{role}", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    def ready(self, timeout_s: float) -> dict[str, str]:
        """Waits until it is ready; returns the addresses it listens on. The error that kept it from starting."""
        try:
            said = self._said.get(timeout=timeout_s)
        except Empty:
            raise TargetError(
                f"the {self.role} was not ready within {timeout_s:g} s; look at its messages{self._where}, or try again"
            ) from None
        if "error" in said:
            raise _error(said)
        if "ready" not in said:
            raise TargetError(f"{self.ended()} before it was ready; look at its messages{self._where}")
        addresses: dict[str, str] = said["ready"]
        return addresses

    def ended(self) -> str:
        """In words how it ended."""
        code = self._process.wait()
        return f"the {self.role} (process {self.pid}) " + (
            f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        )

    def stop(self, timeout_s: float) -> bool:
        """Lets it finish what it has begun; False when it took too long and was killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        finally:
            self._listener.join()
            if self._process.stdout is not None:
                self._process.stdout.close()
        return True

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._process.stdout:
            self._said.put(json.loads(line))
        self._said.put({})


def _error(said: dict[str, Any]) -> VivaceError:
    kind = getattr(errors, said["error"], TargetError)
    error: VivaceError = kind(said["message"])
    return error
