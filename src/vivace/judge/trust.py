"""Whether a measurement can be believed: why not at all (INVALID), and what limits it (warnings)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from vivace.judge.circumstances import Circumstances
from vivace.measure.figures import Figures
from vivace.measure.lateness import LATE_NS
from vivace.units import format_duration

LATE_SHARE: Final = 0.01
"""Of requests that may be started late."""
SATURATED: Final = 0.9
"""Of its cores, or of its ceiling: from here on the generator may be what limits the figures."""
_LATE_MS: Final = LATE_NS // 1_000_000


def distrust(figures: Figures, circumstances: Circumstances) -> tuple[str, ...]:
    """Why the measurement cannot be trusted, in plain words; empty when it can."""
    return (
        *(f"the books do not balance: {words}" for words in circumstances.unbalanced),
        *(f"the generator failed: {words}" for words in circumstances.failures),
        *_clock(figures),
        *_lateness(figures),
        *_nothing_sent(figures, circumstances),
        *_nothing_asked(figures, circumstances),
        *_not_measured(figures),
    )


def caution(figures: Figures, circumstances: Circumstances) -> tuple[str, ...]:
    """What limits the trust in figures that are valid, in plain words."""
    return (
        *_interruption(figures),
        *_saturation(figures),
        *_ceiling(figures),
        *_reading_back(figures, circumstances),
        *_own_count(figures),
        *_nothing_found(figures),
    )


def _clock(figures: Figures) -> Iterator[str]:
    if figures.clock_step_ms:
        direction = "forward" if figures.clock_step_ms > 0 else "back"
        step = format_duration(round(abs(figures.clock_step_ms) / 1000, 3))
        yield f"the system's clock was set {direction} by {step} while the load lasted"


def _lateness(figures: Figures) -> Iterator[str]:
    counts = []
    if figures.ingest is not None:
        counts.append(("requests", figures.ingest.late_requests, figures.ingest.requests))
    if figures.query is not None:
        counts.append(("queries", figures.query.late, figures.query.sent))
    for noun, late, sent in counts:
        if late > sent * LATE_SHARE:
            yield (
                f"{late:,} of {sent:,} {noun} ({late / sent:.1%}) were started more than {_LATE_MS} ms "
                f"after they were due although VUs were free: the generator was too slow"
            )


def _nothing_sent(figures: Figures, circumstances: Circumstances) -> Iterator[str]:
    if not circumstances.sends:
        return
    ingest = figures.ingest
    if ingest is None or ingest.offered_spans == 0:
        yield "nothing was sent"
    elif ingest.acknowledged_spans == 0:
        yield f"not one of {ingest.offered_spans:,} offered spans was acknowledged{_most_frequent(ingest.errors)}"
    target = None if figures.resources is None else figures.resources.target
    if ingest is not None and ingest.acknowledged_spans and target is not None and target.received_spans == 0:
        yield f"{ingest.acknowledged_spans:,} spans were acknowledged, but the target's own metrics count none"


def _nothing_asked(figures: Figures, circumstances: Circumstances) -> Iterator[str]:
    if circumstances.asks and (figures.query is None or figures.query.sent == 0):
        yield "not one query was asked"


def _not_measured(figures: Figures) -> Iterator[str]:
    for objective in figures.objectives:
        if objective.actual is None:
            yield f"{objective.name} could not be measured, but must be {objective.limit}"


def _interruption(figures: Figures) -> Iterator[str]:
    if figures.interrupted:
        yield f"the run was interrupted after {format_duration(round(figures.duration_s, 1))}"


def _saturation(figures: Figures) -> Iterator[str]:
    resources, cores = figures.resources, figures.machine.cores
    generator = resources.generator.cpu_cores_mean if resources and resources.generator else None
    target = resources.target.cpu_cores_mean if resources and resources.target else None
    if generator is not None and generator > SATURATED * cores:
        yield f"the generator used {generator:.2f} of {cores:g} cores: the limit may be its own"
    elif generator is not None and target is not None and generator + target > SATURATED * cores:
        yield (
            f"generator and target used {generator:.2f} and {target:.2f} of {cores:g} cores: "
            f"they may have slowed each other"
        )


def _ceiling(figures: Figures) -> Iterator[str]:
    if figures.ingest is None or figures.ceiling is None:
        return
    reached = figures.ingest.spans_per_s / figures.ceiling.spans_per_s
    if reached > SATURATED:
        yield f"the rate reached {reached:.0%} of what this generator can send here at most: the limit may be its own"


def _reading_back(figures: Figures, circumstances: Circumstances) -> Iterator[str]:
    verification = figures.verification
    if circumstances.sends and not circumstances.probes:
        yield "nothing was read back, so it is not known whether what was acknowledged can be found"
    elif verification is not None and verification.unchecked_traces:
        traces = verification.checked_traces + verification.unchecked_traces
        yield f"{verification.unchecked_traces:,} of {traces:,} traces could not be read back for want of an answer"


def _own_count(figures: Figures) -> Iterator[str]:
    target = None if figures.resources is None else figures.resources.target
    if target is None:
        return
    if figures.ingest is not None and target.received_spans:
        acknowledged = figures.ingest.acknowledged_spans
        if target.received_spans < acknowledged:
            yield f"{acknowledged:,} spans were acknowledged, but the target counted {target.received_spans:,}"
    if target.failed_scrapes:
        yield f"{target.failed_scrapes:,} of {target.scrapes:,} readings of the target's metrics failed"


def _nothing_found(figures: Figures) -> Iterator[str]:
    query = figures.query
    if query is not None and query.succeeded and query.traces == 0:
        yield f"not one of {query.succeeded:,} queries that succeeded found a trace"


def _most_frequent(errors: Mapping[str, int]) -> str:
    return f"; most often the answer was {next(iter(errors))}" if errors else ""
