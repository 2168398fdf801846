"""Makes a server do within a second what takes it minutes: cut blocks, make them few, let them go.

Python runs this at the start of every process that has this folder on its path.
"""

from __future__ import annotations

import sys

if "indexer" in sys.orig_argv:
    from vivace.backend.store import holdings, plan

    plan.DEFAULT_SIZES = plan.Sizes(block_age_s=0.3, small_segment_spans=200, small_segments=3)  # type: ignore[misc]
    holdings.LINGER_SECONDS = 0.5  # type: ignore[misc]
if "compactor" in sys.orig_argv:
    from vivace.backend.compact import process

    process.PERIOD_SECONDS = 0.1  # type: ignore[misc]
    process.TAKING_SECONDS = 0.05  # type: ignore[misc]
