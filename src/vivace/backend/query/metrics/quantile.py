"""Quantiles of histograms whose buckets are powers of two."""

from __future__ import annotations

import math

import numpy as np

from vivace.backend.query.metrics.partial import Floats


def quantile(counts: Floats, share: float) -> float:
    """The value below which a share of what was counted lies; `counts` is by exponent. 0 when nothing was counted.

    The bucket in which the share ends is looked for. From the bucket before it that counted anything, or else from half
    its own bound, to its bound the value is interpolated exponentially.
    """
    filled = np.flatnonzero(counts).tolist()
    if not filled:
        return 0.0
    wanted = max(1.0, math.ceil(share * float(counts.sum())))
    passed, below = 0.0, filled[0] - 1
    for exponent in filled:
        count = float(counts[exponent])
        if passed + count >= wanted:
            return float(2.0 ** (below + (exponent - below) * (wanted - passed) / count))
        passed, below = passed + count, exponent
    return float(2.0**below)
