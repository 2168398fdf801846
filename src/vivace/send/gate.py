"""What holds a closed model back: nothing, a token bucket, or one whose rate follows the target's answers."""

from __future__ import annotations

from typing import Final

from vivace.pace import Adjustment, TokenBucket
from vivace.send.answer import Answer, Outcome
from vivace.send.settings import SendSettings

ADJUSTED_BURST_S: Final = 0.1
"""A bucket whose rate is searched for must not hide it behind a reserve."""


class Gate:
    """A worker's share of the rate. Times are nanoseconds of any one clock."""

    def __init__(self, settings: SendSettings) -> None:
        self.adjustment: Adjustment | None = None
        self._bucket: TokenBucket | None = None
        if settings.items_per_second is not None:
            self._bucket = TokenBucket(settings.items_per_second / settings.workers)
        elif settings.adjustment is not None:
            self.adjustment = Adjustment(settings.adjustment.shared(1 / settings.workers))
            self._bucket = TokenBucket(self.adjustment.per_second, ADJUSTED_BURST_S)

    @property
    def open(self) -> bool:
        """Whether nothing is ever held back."""
        return self._bucket is None

    def pass_ns(self, items: int, now_ns: int) -> int:
        """From when on a request of so many items may go."""
        return now_ns if self._bucket is None else self._bucket.take(items, now_ns)

    def answered(self, answer: Answer, service_ns: int, now_ns: int) -> bool:
        """Learns from an answer; whether the rate has changed."""
        if self.adjustment is None or self._bucket is None:
            return False
        self.adjustment.answered(answer.outcome is Outcome.ACKNOWLEDGED, service_ns / 1e9)
        if not self.adjustment.adjust(now_ns):
            return False
        self._bucket.per_second = self.adjustment.per_second
        return True
