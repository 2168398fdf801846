"""What head sampling leaves in the traces that it keeps: a state by OpenTelemetry's consistent probability sampling."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

BITS: Final = 56
DIGITS: Final = BITS // 4
PRECISION: Final = 4
"""Digits that a threshold has after leading f's."""


def threshold(share: float) -> str:
    """The rejection threshold of a sampler that keeps this share, in hexadecimal without trailing zeros."""
    digits = f"{round((1 - share) * (1 << BITS)):0{DIGITS}x}"[-DIGITS:]
    leading = len(digits) - len(digits.lstrip("f"))
    return digits[: leading + PRECISION].rstrip("0") or "0"


def trace_states(share: float, traces: int, random: np.random.Generator) -> pa.Array:
    """One for each trace that was kept.

    The randomness that the sampler compared with its threshold is written out, as IDs are new in every request.
    """
    kept = threshold(share)
    drawn = random.integers(int(kept.ljust(DIGITS, "0"), 16), 1 << BITS, traces)
    return pa.array([f"ot=th:{kept};rv:{value:0{DIGITS}x}" for value in drawn.tolist()])
