"""What a verdict means in plain words, the same in the terminal, the text files and the dashboard."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from vivace.measure.figures import Figures, Objective, Verdict
from vivace.report.quantity import SPACE, quantity
from vivace.units import format_duration

UNITS: Final = frozenset({"%", "MB/s", "cores", "CPU s"})
MEANS_INVALID: Final = "The measurement itself cannot be trusted, so it says nothing about the target."


def headline(figures: Figures) -> str:
    """One sentence under the verdict."""
    if figures.verdict is None:
        return "This run has not been judged."
    if figures.verdict is Verdict.INVALID:
        return MEANS_INVALID
    total, missed = len(figures.objectives), sum(objective.met is False for objective in figures.objectives)
    if figures.verdict is Verdict.FAIL:
        return f"{missed} of {_counted(total, 'objective')} {'was' if missed == 1 else 'were'} missed."
    if total == 0:
        return "The books balance. No objective was set."
    met = {1: "The objective was", 2: "Both objectives were"}.get(total, f"All {total} objectives were")
    return f"{met} met, and the books balance."


def measured(objective: Objective) -> str:
    """The measured value of an objective with its unit."""
    return "not measured" if objective.actual is None else quantity(objective.actual, objective.unit)


def limit(objective: Objective) -> str:
    """The limit as it was written, with its unit where that was left out and is not a mere count of something."""
    bare = objective.limit[-1:].isdigit() and objective.unit in UNITS
    return f"{objective.limit}{SPACE}{objective.unit}" if bare else objective.limit


def met(objective: Objective) -> str:
    """Whether an objective was met, in a word."""
    return {True: "met", False: "missed", None: "not measured"}[objective.met]


def when(figures: Figures) -> str:
    """When the run began: 12 November 2026, 14:03:22 UTC."""
    moment = datetime.fromisoformat(figures.started)
    return f"{moment.day} {moment:%B %Y, %H:%M:%S} UTC"


def duration(figures: Figures) -> str:
    """How long the load lasted."""
    text = format_duration(round(figures.duration_s, 1))
    return f"{text}, interrupted" if figures.interrupted else text


def target(figures: Figures) -> str:
    """What was tested: the embedded backend, or where the other one is."""
    where = figures.target.get("otlp_endpoint") or figures.target.get("query_url")
    kind = figures.target.get("kind", "unknown")
    return f"{kind} {where}" if kind == "endpoint" and where else kind


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
