"""Which logs to generate; every mistake in it is reported at once."""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

TOLERANCE: Final = 1e-6


class Model(BaseModel):
    """Immutable, and without fields nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_sum(what: str, shares: tuple[float, ...]) -> None:
    if abs(sum(shares) - 100) > TOLERANCE:
        raise ValueError(f"the {what} add up to {sum(shares):g}, not to 100; change one of them")


class Severities(Model):
    """Percentages."""

    debug: float = Field(default=0, ge=0, le=100)
    info: float = Field(default=0, ge=0, le=100)
    warn: float = Field(default=0, ge=0, le=100)
    error: float = Field(default=0, ge=0, le=100)

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        _check_sum("severities", self.shares)
        return self

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """In the order of severity."""
        return self.debug, self.info, self.warn, self.error


class AccessLogs(Model):
    """HTTP requests, one record each; their severity follows from the status: INFO, from 400 WARN, from 500 ERROR."""

    percentage: float = Field(default=40, ge=0, le=100)


class ApplicationLogs(Model):
    """What services tell while they work."""

    percentage: float = Field(default=40, ge=0, le=100)
    severities: Severities = Severities(debug=20, info=65, warn=10, error=5)
    structured: float = Field(default=50, ge=0, le=100)
    """Percentage of records whose body is a map, not a text."""


class SystemLogs(Model):
    """What the kernel and daemons of hosts tell."""

    percentage: float = Field(default=20, ge=0, le=100)
    severities: Severities = Severities(debug=5, info=75, warn=15, error=5)


class LogTypes(Model):
    """How the records are divided."""

    http_access: AccessLogs = AccessLogs()
    application: ApplicationLogs = ApplicationLogs()
    system: SystemLogs = SystemLogs()

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        _check_sum("percentages", self.shares)
        return self

    @property
    def shares(self) -> tuple[float, float, float]:
        """Percentages in the order of LogType."""
        return self.http_access.percentage, self.application.percentage, self.system.percentage

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of LogType."""
        return tuple(type(self).model_fields)


class LogsSettings(Model):
    """What to generate."""

    count: int = Field(default=50_000, ge=1, le=1_000_000_000)
    types: LogTypes = LogTypes()
    correlated: float = Field(default=60, ge=0, le=100)
    """Percentage of access and application records with the IDs of the span that they tell about."""
    seed: int = Field(default=1, ge=0, lt=1 << 64)
