"""Figures of probes."""

from __future__ import annotations

from tests.measure.ledgers import MS, START, probes

from vivace.measure.verification import verification_figures


def test_outcomes_are_counted_and_unchecked_ones_are_not_checked() -> None:
    lost = {"outcome": "missing", "visible_ns": None, "message": "0 of 10 spans after 30s"}
    figures = verification_figures(
        probes(
            {},
            {"visible_ns": START + 1000 * MS + 70 * MS, "polls": 1},
            lost,
            {"outcome": "wrong", "message": "span 0a: name"},
            {"outcome": "unchecked", "visible_ns": None, "message": "connection refused"},
        )
    )
    assert figures is not None
    assert (figures.checked_traces, figures.missing_traces, figures.wrong_traces, figures.unchecked_traces) == (
        4,
        1,
        1,
        1,
    )
    assert figures.visible_ms is not None
    assert (figures.visible_ms.p50, figures.visible_ms.max) == (50, 70)
    assert figures.at_first_read == 1
    assert figures.problems == (
        f"trace {2:032x} is missing: 0 of 10 spans after 30s",
        f"trace {3:032x} is wrong: span 0a: name",
        f"trace {4:032x} is unchecked: connection refused",
    )


def test_without_a_found_trace_there_is_no_time_to_visible() -> None:
    figures = verification_figures(probes({"outcome": "missing", "visible_ns": None}))
    assert figures is not None
    assert figures.visible_ms is None


def test_no_probes_have_no_figures() -> None:
    assert verification_figures(probes()) is None
