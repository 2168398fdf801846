"""Quantiles of histograms whose buckets are powers of two."""

from __future__ import annotations

import numpy as np

from vivace.backend.query.metrics.numbers import Floats
from vivace.backend.query.value import Rows


def quantiles(counts: Floats, share: float) -> tuple[Floats, Rows]:
    """For each row the value below which a share of what was counted lies, and the bucket that it is in.

    `counts` is rows by exponents.
    The bucket in which the share ends is looked for. From the bucket before it that counted anything, or else from half
    its own bound, to its bound the value is interpolated exponentially. 0 where nothing was counted.
    """
    row, exponents = np.arange(len(counts)), np.arange(counts.shape[1])
    passed = counts.cumsum(axis=1)
    total = passed[:, -1]
    wanted = np.maximum(1.0, np.ceil(share * total))
    at = (passed >= wanted[:, None]).argmax(axis=1)
    filled = np.maximum.accumulate(np.where(counts > 0, exponents, -1), axis=1)
    before = np.where(at > 0, filled[row, np.maximum(at - 1, 0)], -1)
    below = np.where(before >= 0, before, at - 1)
    here = np.maximum(counts[row, at], 1.0)
    reached = (wanted - (passed[row, at] - counts[row, at])) / here
    return np.where(total > 0, 2.0 ** (below + (at - below) * reached), 0.0), at
