"""The exceptions a user can meet, and the exit codes a caller can rely on.

VivaceError                 one line that names the place, what is wrong and the remedy
├── ConfigurationError      the command line, a profile, a configuration file       exit 2
│   └── InvalidDocument     a file with one or more problems, each with its line    exit 2
├── TargetError             the target could not be reached or deployed             exit 4
├── TemplateError           telemetry that cannot be read, or is not OTLP           exit 2
├── QueryError              a TraceQL text or a parameter that is not valid         exit 2
├── OutputError             results cannot be written                               exit 2
└── Interrupted             stopped by the user; what was measured is kept          exit 130
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INVALID = 3
    TARGET = 4
    INTERRUPTED = 130


class VivaceError(Exception):
    """What a user is shown as one line, without a traceback."""

    exit_code = ExitCode.USAGE


class ConfigurationError(VivaceError):
    """The command line, a profile or a configuration file asks for something that cannot be."""


class TemplateError(VivaceError):
    """Telemetry that cannot be read, is truncated, or is not OTLP."""


class OutputError(VivaceError):
    """Results cannot be written where they were asked for."""


class TargetError(VivaceError):
    """The target could not be reached, deployed or started."""

    exit_code = ExitCode.TARGET


class Interrupted(VivaceError):
    """Stopped by the user; what was measured up to then is kept and reported."""

    exit_code = ExitCode.INTERRUPTED


class QueryError(VivaceError):
    """A TraceQL text or a parameter that is not valid; `line` and `column` count from 1, 0 when unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file: where, what, and what to do about it."""

    file: str
    field: str
    message: str
    remedy: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.field}: {self.message}; {self.remedy}"


class InvalidDocument(ConfigurationError):
    """A file with problems; all of them are reported at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
