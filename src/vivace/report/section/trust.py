"""How far this run can be believed: what the generator could have done, and how punctual it was."""

from __future__ import annotations

from collections.abc import Iterator

from vivace.measure.figures import Figures, IngestFigures, Latency, QueryFigures
from vivace.report.facts import Fact, fact_list
from vivace.report.markup import Html, datum, element
from vivace.report.quantity import SPACE, compact, count, digits, milliseconds, percent, whole


def trust(figures: Figures) -> Html | None:
    """The generator's headroom, its punctuality, and what it and the scraper used."""
    cards = [_headroom(figures), _punctuality(figures), _watching(figures)]
    if not any(cards):
        return None
    return element(
        "section",
        element("h2", "How far this run can be believed"),
        element("p", "A generator that is late or at its limit measures itself.", class_="under"),
        element("div", cards, class_="pair trio"),
    )


def _headroom(figures: Figures) -> Html | None:
    ceiling, ingest = figures.ceiling, figures.ingest
    if ceiling is None or ingest is None:
        return None
    offered = ingest.offered_spans / figures.duration_s
    share = offered / ceiling.spans_per_s if ceiling.spans_per_s else 1.0
    spans = datum("ceiling.spans_per_s", ceiling.spans_per_s, compact(ceiling.spans_per_s, "spans/s"))
    megabytes = datum("ceiling.mb_per_s", ceiling.mb_per_s, compact(ceiling.mb_per_s, "MB/s"))
    facts: list[Fact] = [
        ("The generator can send", [spans, " · ", megabytes]),
        ("This run offered", compact(offered, "spans/s")),
    ]
    bar = element(
        "div", element("i", style=f"width:{min(share, 1):.1%}", class_="main"), class_="stack rest", aria_hidden="true"
    )
    said = f"{percent(round(100 * share, 1))} of what it sends into a null receiver on this machine."
    return _card("Headroom", facts, bar, element("p", said, class_="note"))


def _punctuality(figures: Figures) -> Html | None:
    facts = [
        *_late("Export requests", "ingest", figures.ingest, figures.ingest.late_requests if figures.ingest else 0),
        *_late("Queries", "query", figures.query, figures.query.late if figures.query else 0),
    ]
    if figures.clock_step_ms is not None:
        facts.append(
            (
                "The clock was set by",
                datum(
                    "clock_step_ms",
                    figures.clock_step_ms,
                    milliseconds(figures.clock_step_ms),
                ),
            )
        )
    return _card("Punctuality", facts) if facts else None


def _late(title: str, path: str, part: IngestFigures | QueryFigures | None, late: int) -> Iterator[Fact]:
    if part is None:
        return
    sent, key = (part.requests, "late_requests") if isinstance(part, IngestFigures) else (part.sent, "late")
    number = datum(f"{path}.{key}", late, whole(late))
    yield f"{title} over 100 ms late by its own fault", [number, f"{SPACE}of{SPACE}{whole(sent)}"]
    if part.late_ms is not None:
        yield f"{title}, lateness", _lateness(f"{path}.late_ms", part.late_ms)


def _lateness(path: str, late: Latency) -> list[str]:
    shown = (("p50", late.p50), ("p99", late.p99), ("max", late.max))
    texts = [[f"{key}{SPACE}", datum(f"{path}.{key}", value, milliseconds(value))] for key, value in shown]
    return [*texts[0], " · ", *texts[1], " · ", *texts[2]]


def _watching(figures: Figures) -> Html | None:
    generator = figures.resources.generator if figures.resources else None
    target = figures.resources.target if figures.resources else None
    facts: list[Fact] = []
    if generator is not None and generator.cpu_cores_mean is not None:
        mean = datum("resources.generator.cpu_cores_mean", generator.cpu_cores_mean, digits(generator.cpu_cores_mean))
        facts.append(("The generator's CPU", [mean, f" of {count(figures.machine.cores, 'cores')}"]))
    if generator is not None and generator.cpu_cores_max is not None:
        most = datum("resources.generator.cpu_cores_max", generator.cpu_cores_max, digits(generator.cpu_cores_max))
        facts.append(("at most", [most, " cores"]))
    if target is not None and target.received_spans is not None:
        received = datum("resources.target.received_spans", target.received_spans, whole(target.received_spans))
        facts.append(("Spans by the target's own count", received))
    if target is not None and target.scrapes is not None:
        failed = target.failed_scrapes or 0
        shown = datum("resources.target.scrapes", target.scrapes, whole(target.scrapes))
        facts.append(("Scrapes of the target's metrics", [shown, f", {whole(failed)} failed"]))
    return _card("Watched from beside", facts) if facts else None


def _card(title: str, facts: list[Fact], *below: Html) -> Html:
    return element("div", element("h3", title), fact_list(facts), below, class_="card")
