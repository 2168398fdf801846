"""A batch of log records while its words are found: what is known of it, and what was said so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.correlation import SampledSpans
from vivace.telemetry.logs.answers import Answers
from vivace.telemetry.logs.columns import Columns
from vivace.telemetry.logs.draft import Draft
from vivace.telemetry.logs.sources import Sources


@dataclass(frozen=True, slots=True)
class Telling:
    """One batch."""

    draft: Draft
    spans: SampledSpans
    """That access and application logs tell about."""
    answers: Answers
    """What those say of HTTP requests."""
    writer: Numbers
    """By span: number among the writers."""
    sources: Sources
    columns: Columns
    random: np.random.Generator
