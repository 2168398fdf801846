"""The headline figures, each with what it is to be compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vivace.measure.figures import Figures, IngestFigures, QueryFigures, ResourceFigures, VerificationFigures
from vivace.report.markup import Child, Html, datum, element
from vivace.report.quantity import SPACE, compact, count, digits, milliseconds, percent, size, whole


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: its name in the run's JSON, its value, and how it is written."""

    title: str
    figure: str
    value: float
    text: str
    aside: str = ""
    bad: bool = False


def tiles(figures: Figures) -> Html | None:
    """A tile for every headline figure that was measured."""
    made = [*_ingest(figures.ingest), *_verification(figures.verification), *_query(figures.query)]
    made += _resources(figures.resources)
    if not made:
        return None
    row = next(columns for columns in (4, 3, 5, 2, 1) if len(made) % columns == 0 or len(made) > 2 * columns)
    rows = element("dl", map(_tile, made), class_="tiles", style=f"--columns:{row}")
    return element("section", rows, aria_label="Headlines")


def _tile(tile: Tile) -> Html:
    return element(
        "div",
        element("dt", tile.title),
        element("dd", datum(tile.figure, tile.value, _small_unit(tile.text))),
        element("dd", tile.aside, class_="aside") if tile.aside else None,
        class_="card tile bad" if tile.bad else "card tile",
    )


def _small_unit(text: str) -> list[Child]:
    number, space, unit = text.rpartition(SPACE)
    return [number, space, element("small", unit)] if space else [text]


def _ingest(ingest: IngestFigures | None) -> Iterator[Tile]:
    if ingest is None:
        return
    share = 100 * ingest.acknowledged_spans / ingest.offered_spans if ingest.offered_spans else 0
    yield Tile(
        "Spans acknowledged",
        "ingest.spans_per_s",
        ingest.spans_per_s,
        compact(ingest.spans_per_s, "spans/s"),
        f"{percent(share)} of what was offered",
    )
    sent = f"{size(ingest.sent_bytes)} sent in all"
    yield Tile("Bytes acknowledged", "ingest.mb_per_s", ingest.mb_per_s, count(ingest.mb_per_s, "MB/s"), sent)
    if ingest.response_ms is not None:
        p99 = ingest.response_ms.p99
        aside = f"half within {milliseconds(ingest.response_ms.p50)}"
        yield Tile("Export response, p99", "ingest.response_ms.p99", p99, milliseconds(p99), aside)


def _verification(verification: VerificationFigures | None) -> Iterator[Tile]:
    if verification is None:
        return
    if verification.visible_ms is not None:
        p99 = verification.visible_ms.p99
        aside = f"half within {milliseconds(verification.visible_ms.p50)}"
        yield Tile("Time to visible, p99", "verification.visible_ms.p99", p99, milliseconds(p99), aside)
    if verification.checked_traces:
        missing = verification.missing_traces
        aside = f"of {whole(verification.checked_traces)} read back"
        yield Tile("Missing traces", "verification.missing_traces", missing, whole(missing), aside, missing > 0)


def _query(query: QueryFigures | None) -> Iterator[Tile]:
    if query is None:
        return
    aside = f"{whole(query.failed)} failed" if query.failed else "none failed"
    yield Tile(
        "Queries answered", "query.queries_per_s", query.queries_per_s, count(query.queries_per_s, "queries/s"), aside
    )
    if query.response_ms is not None:
        p95 = query.response_ms.p95
        aside = f"half within {milliseconds(query.response_ms.p50)}"
        yield Tile("Query response, p95", "query.response_ms.p95", p95, milliseconds(p95), aside)


def _resources(resources: ResourceFigures | None) -> Iterator[Tile]:
    target = resources.target if resources else None
    if target is None or target.cpu_seconds_per_million_spans is None:
        return
    seconds = target.cpu_seconds_per_million_spans
    aside = "" if target.cpu_cores_mean is None else f"{digits(target.cpu_cores_mean)} cores on average"
    yield Tile(
        "Target's CPU per million spans",
        "resources.target.cpu_seconds_per_million_spans",
        seconds,
        count(seconds, "s"),
        aside,
    )
