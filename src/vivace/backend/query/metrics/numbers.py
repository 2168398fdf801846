"""The numbers of a field that a metrics aggregate works on."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import Frame
from vivace.backend.query.grouping import columns
from vivace.backend.query.value import NUMBERS, Array, Column, Mask, Type
from vivace.traceql.tree import Attribute, IntrinsicField

Floats = npt.NDArray[np.float64]

EXPONENTS: Final = 65
"""Buckets of a histogram: powers of two up to those of 64 bits."""
HISTOGRAMS: Final = frozenset({"quantile_over_time", "histogram_over_time"})
SECONDS: Final = 1e-9
UNUSED: Final = 255
"""The exponent of what is in no bucket of a histogram."""
_LEAST: Final = 2
"""Numbers below are in no bucket of a histogram."""


def numbers(
    field: Attribute | IntrinsicField, evaluation: Evaluation, frame: Frame, kinds: frozenset[Type] = NUMBERS
) -> tuple[Array, Mask | None, bool]:
    """The numbers of a field, where it has one (None: everywhere), and whether they are durations in nanoseconds."""
    found = columns(evaluation.value(field, frame), len(frame))
    parts = [part for part in found if isinstance(part, Column) and part.type in kinds]
    durations = any(part.type is Type.DURATION for part in parts)
    if len(parts) == 1 and parts[0].type is not Type.FLOAT:
        return parts[0].data, parts[0].present, durations
    values = np.full(len(frame), np.nan)
    for part in parts:
        values[part.known] = part.data[part.known]
    return values, ~np.isnan(values), durations


def exponents(
    field: Attribute | IntrinsicField, evaluation: Evaluation, frame: Frame
) -> tuple[npt.NDArray[np.uint8], bool]:
    """For every row the exponent of the least power of two that is not below its number, else UNUSED."""
    every, durations = frame.view.remember(
        ("exponents", field),
        lambda: _exponents(field, evaluation, Frame(frame.view, frame.table)),
        lambda made: made[0].nbytes,
    )
    return (every if frame.rows is None else every[frame.rows]), durations


def _exponents(
    field: Attribute | IntrinsicField, evaluation: Evaluation, frame: Frame
) -> tuple[npt.NDArray[np.uint8], bool]:
    evaluation.check()
    values, there, durations = numbers(field, evaluation, frame, NUMBERS - {Type.FLOAT})
    mantissa, exponent = np.frexp(values)
    used = values >= _LEAST if there is None else there & (values >= _LEAST)
    return np.where(used, np.where(mantissa == 0.5, exponent - 1, exponent), UNUSED).astype(np.uint8), durations
