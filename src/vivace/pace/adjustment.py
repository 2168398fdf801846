"""A rate that follows the target: a little more while all is well, much less when it is not (AIMD).

rate |    /|  /|    /    grows by a step each interval in which every answer was good,
     |  /  |/  |  /      is multiplied by `backoff` where one was not
     0────────────────> s
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite

from vivace.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentSettings:
    """How to adjust. ConfigurationError for what cannot be."""

    least: float
    """Events per second."""
    most: float
    increase: float
    """Events per second, each interval in which all went well."""
    backoff: float = 0.5
    """What is left of the rate when it did not."""
    slow_s: float = 1.0
    """An answer that takes longer is a bad one."""
    interval_s: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.most or not isfinite(self.most):
            raise ConfigurationError(f"adjustment: {self.least:g} to {self.most:g} events/s is no range; give one")
        if not (isfinite(self.increase) and self.increase > 0):
            raise ConfigurationError(f"adjustment: an increase of {self.increase:g} is none; give events/s above zero")
        if not 0 < self.backoff < 1:
            raise ConfigurationError(f"adjustment: a back-off of {self.backoff:g} is none; give a share below 1")
        if not (self.slow_s > 0 and self.interval_s > 0):
            raise ConfigurationError("adjustment: times must be above zero; give seconds")

    def shared(self, share: float) -> AdjustmentSettings:
        """For one of several who adjust for themselves."""
        return AdjustmentSettings(
            least=self.least * share,
            most=self.most * share,
            increase=self.increase * share,
            backoff=self.backoff,
            slow_s=self.slow_s,
            interval_s=self.interval_s,
        )


@dataclass(slots=True)
class Adjustment:
    """Told of every answer, it gives the rate that should be. Times are nanoseconds of any one clock."""

    settings: AdjustmentSettings
    per_second: float = field(init=False)
    raised: int = field(default=0, init=False)
    lowered: int = field(default=0, init=False)
    _good: int = field(default=0, init=False)
    _bad: int = field(default=0, init=False)
    _since_ns: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.per_second = self.settings.least

    def answered(self, good: bool, seconds: float) -> None:
        """How it ended, and how long that took."""
        if good and seconds <= self.settings.slow_s:
            self._good += 1
        else:
            self._bad += 1

    def adjust(self, now_ns: int) -> bool:
        """Whether the rate has changed: at most once each interval, and not without an answer."""
        if self._since_ns is None:
            self._since_ns = now_ns
        if now_ns - self._since_ns < self.settings.interval_s * 1e9 or not (self._good or self._bad):
            return False
        self._since_ns = now_ns
        before, settings = self.per_second, self.settings
        if self._bad:
            self.per_second = max(settings.least, before * settings.backoff)
            self.lowered += self.per_second < before
        else:
            self.per_second = min(settings.most, before + settings.increase)
            self.raised += self.per_second > before
        self._good = self._bad = 0
        return self.per_second != before
