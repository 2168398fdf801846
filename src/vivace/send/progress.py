"""How a replay stands: the workers' counters, added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.send.board import Board, Count

RECENT_NS: Final = 5_000_000_000


@dataclass(frozen=True, slots=True)
class SendProgress:
    """Counts since the start; what is in flight is sent, and nothing else yet."""

    offered_spans: int
    dropped_spans: int
    sent_spans: int
    acknowledged_spans: int
    rejected_spans: int
    failed_spans: int
    unknown_spans: int
    sent_bytes: int
    requests: int
    """Offered ones."""
    in_flight: int
    vus: int
    response_p50_ms: float | None
    """From when a request was due to its end, over the last seconds; None when none ended."""
    response_p99_ms: float | None
    clock_step_s: float | None
    """The farthest that the system's clock was set during the replay; None when it was not."""
    done: bool
    errors: int = 0
    """Requests that failed, or of which nobody knows."""
    retries: int = 0
    """Attempts after the first."""
    retried_bytes: int = 0
    disordered: int = 0
    """Requests with something wrong on purpose."""
    adjusted_rate: int | None = None
    """Items per second that the adjustment allows; None without one."""
    raised: int = 0
    """Times that it did."""
    lowered: int = 0


def progress_of(boards: Sequence[Board], ended: Sequence[bool], now_ns: int) -> SendProgress:
    """`ended` tells of each worker whether its process has; what such a one left in flight is unknown."""
    total = [sum(board.counts[count] for board in boards) for count in Count]
    lost = sum(_open_items(board) for board, over in zip(boards, ended, strict=True) if over)
    in_flight = sum(board.counts[Count.IN_FLIGHT] for board, over in zip(boards, ended, strict=True) if not over)
    step_ns = max((board.counts[Count.CLOCK_STEP_NS] for board in boards), key=abs)
    p50, p99 = _response_ms(boards, now_ns)
    return SendProgress(
        offered_spans=total[Count.OFFERED_ITEMS],
        dropped_spans=total[Count.DROPPED_ITEMS],
        sent_spans=total[Count.SENT_ITEMS],
        acknowledged_spans=total[Count.ACKNOWLEDGED_ITEMS],
        rejected_spans=total[Count.REJECTED_ITEMS],
        failed_spans=total[Count.FAILED_ITEMS],
        unknown_spans=total[Count.UNKNOWN_ITEMS] + lost,
        sent_bytes=total[Count.SENT_BYTES],
        requests=total[Count.OFFERED],
        in_flight=in_flight,
        vus=total[Count.VUS],
        response_p50_ms=p50,
        response_p99_ms=p99,
        clock_step_s=step_ns / 1e9 if step_ns else None,
        done=all(ended),
        errors=total[Count.ERRORS],
        retries=total[Count.RETRIES],
        retried_bytes=total[Count.RETRIED_BYTES],
        disordered=total[Count.DISORDERED],
        adjusted_rate=total[Count.RATE] or None,
        raised=total[Count.RAISED],
        lowered=total[Count.LOWERED],
    )


def _open_items(board: Board) -> int:
    """Items sent without an end."""
    counts = board.counts
    ends = (Count.ACKNOWLEDGED_ITEMS, Count.REJECTED_ITEMS, Count.FAILED_ITEMS, Count.UNKNOWN_ITEMS)
    return counts[Count.SENT_ITEMS] - sum(counts[end] for end in ends)


def _response_ms(boards: Sequence[Board], now_ns: int) -> tuple[float | None, float | None]:
    values = [value for board in boards for value in board.responses.since(0)[1]]
    responses = [response_ns / 1e6 for ended_ns, response_ns in values if ended_ns > now_ns - RECENT_NS]
    if not responses:
        return None, None
    p50, p99 = np.percentile(responses, [50, 99]).tolist()
    return p50, p99
