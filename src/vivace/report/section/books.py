"""The books: where everything that was offered has gone, as equations that anyone can add up."""

from __future__ import annotations

from dataclasses import dataclass

from vivace.measure.figures import Figures, IngestFigures, QueryFigures
from vivace.report.markup import Child, Html, datum, element
from vivace.report.quantity import whole


@dataclass(frozen=True, slots=True)
class Term:
    """One number of an equation; `ink` is its colour in the bar."""

    name: str
    figure: str
    value: int
    ink: str = ""


@dataclass(frozen=True, slots=True)
class Equation:
    """`total` = the sum of `parts`."""

    total: Term
    parts: tuple[Term, ...]

    @property
    def balances(self) -> bool:
        return self.total.value == sum(part.value for part in self.parts)


def books(figures: Figures) -> Html | None:
    """The equations of spans and of queries, a bar below each."""
    ledgers = [("Spans", span_equations(figures.ingest)), ("Queries", query_equations(figures.query))]
    kept = [(title, equations) for title, equations in ledgers if equations]
    if not kept:
        return None
    balanced = all(equation.balances for _, equations in kept for equation in equations)
    said = "Nothing is skipped silently, nothing is counted twice." if balanced else "The two sides do not add up."
    return element(
        "section",
        element("h2", "Where everything went"),
        element("p", said, class_="under"),
        element("div", [_card(title, equations) for title, equations in kept], class_="pair books"),
    )


def span_equations(ingest: IngestFigures | None) -> tuple[Equation, ...]:
    """offered = dropped + sent; sent = acknowledged + rejected + failed + unknown."""
    if ingest is None:
        return ()
    sent = Term("sent", "ingest.sent_spans", ingest.sent_spans, "main-soft")
    return (
        Equation(
            Term("offered", "ingest.offered_spans", ingest.offered_spans),
            (sent, Term("dropped", "ingest.dropped_spans", ingest.dropped_spans, "second")),
        ),
        Equation(
            sent,
            (
                Term("acknowledged", "ingest.acknowledged_spans", ingest.acknowledged_spans, "main"),
                Term("rejected", "ingest.rejected_spans", ingest.rejected_spans, "fourth"),
                Term("failed", "ingest.failed_spans", ingest.failed_spans, "lost"),
                Term("unknown", "ingest.unknown_spans", ingest.unknown_spans, "other"),
            ),
        ),
    )


def query_equations(query: QueryFigures | None) -> tuple[Equation, ...]:
    """offered = dropped + sent; sent = succeeded + failed."""
    if query is None:
        return ()
    sent = Term("sent", "query.sent", query.sent, "main-soft")
    return (
        Equation(
            Term("offered", "query.offered", query.offered),
            (sent, Term("dropped", "query.dropped", query.dropped, "second")),
        ),
        Equation(
            sent,
            (
                Term("succeeded", "query.succeeded", query.succeeded, "main"),
                Term("failed", "query.failed", query.failed, "lost"),
            ),
        ),
    )


def _card(title: str, equations: tuple[Equation, ...]) -> Html:
    return element("div", element("h3", title), [_equation(equation) for equation in equations], class_="card")


def _equation(equation: Equation) -> Html:
    terms: list[Child] = [_term(Term(equation.total.name, equation.total.figure, equation.total.value))]
    for number, part in enumerate(equation.parts):
        sign = "+" if number else "=" if equation.balances else "≠"
        terms.append(element("span", element("i", sign, class_="sign"), _term(part), class_="summand"))
    bar = [element("i", class_=part.ink, style=f"flex-grow:{part.value}") for part in equation.parts if part.value]
    return element(
        "div",
        element("div", terms, class_="terms"),
        element("div", bar, class_="stack", aria_hidden="true") if bar else None,
        class_="equation",
    )


def _term(term: Term) -> Html:
    kind = f"term {term.ink}" if term.value or not term.ink else "term none"
    return element(
        "span",
        element("small", term.name),
        element("b", datum(term.figure, term.value, whole(term.value))),
        class_=kind,
    )
