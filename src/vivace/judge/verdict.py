"""The verdict: PASS, FAIL or INVALID, with its reasons in plain words and the figures they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Final

from vivace.errors import ExitCode
from vivace.judge.circumstances import Circumstances
from vivace.judge.objectives import evaluate
from vivace.judge.trust import caution, distrust
from vivace.measure.figures import Figures, Objective, Verdict
from vivace.profile.objective import Objective as Demand

_EXIT_CODES: Final = MappingProxyType(
    {Verdict.PASS: ExitCode.PASS, Verdict.FAIL: ExitCode.FAIL, Verdict.INVALID: ExitCode.INVALID}
)


def judge(figures: Figures, demands: Iterable[Demand], circumstances: Circumstances) -> Figures:
    """The same figures with objectives, verdict, reasons and warnings.

    Objectives about what the run was not to measure are left out; one that was and has no figure makes it INVALID.
    """
    applying = [demand for demand in demands if circumstances.measures(demand.quantity.part)]
    measured = figures.model_copy(update={"objectives": evaluate(applying, figures)})
    invalid = distrust(measured, circumstances)
    crash, missed = tuple(_target_failure(circumstances)), tuple(_missed(applying, measured.objectives))
    verdict = Verdict.INVALID if invalid else Verdict.FAIL if crash or missed else Verdict.PASS
    return measured.model_copy(
        update={
            "verdict": verdict,
            "reasons": (*crash, *invalid, *missed),
            "warnings": caution(measured, circumstances),
        }
    )


def exit_code(figures: Figures) -> ExitCode:
    """How a command ends that has made these figures; they must be judged."""
    if figures.interrupted:
        return ExitCode.INTERRUPTED
    if figures.verdict is None:
        raise ValueError(f"the figures of {figures.profile} have not been judged")
    return _EXIT_CODES[figures.verdict]


def _target_failure(circumstances: Circumstances) -> Iterator[str]:
    if circumstances.target_failure is not None:
        yield f"the target failed: {circumstances.target_failure}"


def _missed(demands: Iterable[Demand], objectives: Iterable[Objective]) -> Iterator[str]:
    for demand, objective in zip(demands, objectives, strict=True):
        if objective.met is False and objective.actual is not None:
            actual = distinct(objective.actual, demand.threshold)
            yield f"{objective.name} is {actual} {objective.unit}, but must be {objective.limit}"


def distinct(value: float, threshold: float) -> str:
    """The value in four digits, or in as many as it takes to be told from the threshold."""
    for digits in range(4, 18):
        rounded = float(f"{value:.{digits}g}")
        if (rounded < threshold) == (value < threshold) and (rounded > threshold) == (value > threshold):
            return f"{rounded:,.15g}"
    return repr(value)
