"""What was run, on what, and with which versions: what it takes to run it again."""

from __future__ import annotations

from collections.abc import Iterable

from vivace.measure.figures import Figures
from vivace.report import wording
from vivace.report.facts import Fact, fact_list
from vivace.report.markup import Html, element
from vivace.report.quantity import count, size


def configuration(figures: Figures) -> Html:
    """The run, its target and its machine as lists of facts."""
    return element(
        "section",
        element("h2", "Configuration"),
        element(
            "div",
            _card("Run", _run(figures)),
            _card("Target", [(_spoken(name), value) for name, value in figures.target.items()]),
            _card("Machine of the generator", _machine(figures)),
            _card("Versions", sorted(figures.machine.versions.items())),
            class_="pair",
        ),
    )


def _card(title: str, facts: Iterable[Fact]) -> Html | None:
    kept = [(name, value) for name, value in facts if value]
    return element("div", element("h3", title), fact_list(kept), class_="card") if kept else None


def _run(figures: Figures) -> list[Fact]:
    return [
        ("Profile", figures.profile),
        ("Seed", str(figures.seed)),
        ("Started", wording.when(figures)),
        ("Load lasted", wording.duration(figures)),
    ]


def _machine(figures: Figures) -> list[Fact]:
    machine = figures.machine
    return [
        ("Processor", machine.cpu),
        ("Cores it may use", count(machine.cores)),
        ("Memory", size(machine.memory_bytes)),
        ("Kernel", machine.kernel),
        ("Python", machine.python),
    ]


def _spoken(name: str) -> str:
    text = name.replace("_", " ")
    return (text[:1].upper() + text[1:]).replace("Otlp", "OTLP").replace("url", "URL")
