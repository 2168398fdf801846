"""Answers are compared with what was sent: right ones pass, and every kind of wrong one is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from vivace.backend.query.catalogue import Catalogue
from vivace.backend.query.memory import Memory
from vivace.backend.query.search import SearchRequest, search
from vivace.backend.store.decode import decode
from vivace.backend.store.unit import Unit
from vivace.ledger import QUERIES, SENDS, LedgerWriter, read_ledger, row
from vivace.query.answer import FoundTrace
from vivace.query.bucket import Window
from vivace.query.keeper import ANSWERS
from vivace.query.mix import built_in_mix
from vivace.query.oracle.check import check_load
from vivace.query.oracle.judgement import Judge, Kept, Verdict
from vivace.query.oracle.selection import selection
from vivace.query.oracle.sent import Sent, SentRequest
from vivace.query.plan import NamedQuery, PlanEntry
from vivace.query.settings import QuerySettings, SentTelemetry
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Template
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

SEED = 7
SECOND = 1_000_000_000
START_NS = 1_800_000_000 * SECOND
REQUESTS = 6
QUERY = '{ resource.service.name = "checkout" && kind = server }'


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    generate_traces(TraceSettings(profile="small", traces=40, traces_per_request=10, seed=3), folder / "shop")
    return folder / "shop-traces.pb"


@pytest.fixture(scope="module")
def sends() -> pl.DataFrame:
    """A request every 5 s, the last one not acknowledged."""
    number = np.arange(REQUESTS)
    return pl.DataFrame(
        {
            "request": number,
            "signal": "traces",
            "started_ns": START_NS + number * 5 * SECOND,
            "ended_ns": START_NS + number * 5 * SECOND + SECOND // 2,
            "t0_ns": START_NS + number * 5 * SECOND,
            "outcome": ["acknowledged"] * (REQUESTS - 1) + ["unknown"],
            "rejected": 0,
        }
    ).select(
        pl.lit(None, kind).alias(name) if name not in KNOWN else pl.col(name).cast(kind) for name, kind in SENDS.items()
    )


KNOWN = {"request", "signal", "started_ns", "ended_ns", "t0_ns", "outcome", "rejected"}


@pytest.fixture(scope="module")
def sent(template: Path, sends: pl.DataFrame) -> Sent:
    return Sent(Template.open(template), SEED, sends)


def pipeline(query: str = QUERY) -> Pipeline:
    root = parse(query).root
    assert isinstance(root, Pipeline)
    return root


def matching(sent: Sent, query: str = QUERY, acknowledged: bool = True) -> list[FoundTrace]:
    """The right answer."""
    found = []
    for request in sent.requests:
        for trace in sent.traces(request):
            spans = sorted(one.id for one in selection(pipeline(query), trace))
            if spans and (request.acknowledged or not acknowledged):
                found.append(FoundTrace(trace.trace_id.hex(), len(spans), tuple(spans[:3])))
    return found


def kept(traces: list[FoundTrace], **changes: Any) -> Kept:
    values: dict[str, Any] = {
        "name": "q",
        "pipeline": pipeline(),
        "window": Window(START_NS // SECOND - 60, START_NS // SECOND + 60),
        "started_ns": START_NS + 100 * SECOND,
        "limited": False,
        "traces": tuple(traces),
    }
    return Kept(**values | changes)


def judged(sent: Sent, answer: Kept, exclusive: bool = True) -> Verdict:
    owners = sent.owners({trace.trace_id for trace in answer.traces})
    return Judge(sent, owners, exclusive).verdict(answer)


def test_the_oracle_agrees_with_the_engine(template: Path, sent: Sent) -> None:
    opened = Template.open(template)
    bodies = [sent_request(opened, SEED, request.number, request.t0_ns) for request in sent.requests]
    visible = list(Catalogue(lambda: (Unit.in_memory(decode(bodies)),), Memory(1 << 28)).visible())
    for query in built_in_mix(30.0)[0]:
        answer = search(visible, SearchRequest(pipeline(query.traceql), limit=1000))
        expected = matching(sent, query.traceql, acknowledged=False)
        assert len(answer) == len(expected), query.name


def test_the_right_answer_is_right(sent: Sent) -> None:
    answer = matching(sent)
    assert len(answer) > 3
    assert judged(sent, kept(answer)) == Verdict("right")


def test_a_trace_that_was_not_acknowledged_may_be_there_or_not(sent: Sent) -> None:
    assert judged(sent, kept(matching(sent, acknowledged=False))).checked == "right"


def test_a_limited_answer_may_leave_out_what_it_likes(sent: Sent) -> None:
    assert judged(sent, kept(matching(sent)[:2], limited=True)).checked == "right"


def test_a_window_s_edges_and_fresh_traces_need_not_be_found(sent: Sent) -> None:
    edge = Window(START_NS // SECOND + 1, START_NS // SECOND + 4)
    assert judged(sent, kept([], window=edge)).checked == "right"
    assert judged(sent, kept([], started_ns=START_NS + 9 * SECOND)).checked == "right"


def test_a_missing_trace_is_wrong(sent: Sent) -> None:
    answer = matching(sent)
    verdict = judged(sent, kept(answer[1:]))
    assert verdict.checked == "wrong"
    assert verdict.message == f"1 traces are missing that match and were acknowledged, such as {answer[0].trace_id}"


def test_a_trace_that_does_not_match_is_wrong(sent: Sent) -> None:
    verdict = judged(sent, kept(matching(sent, "{ }")))
    assert verdict.checked == "wrong"
    assert "has no span that the query selects" in str(verdict.message)


def test_a_span_that_does_not_match_is_wrong(sent: Sent) -> None:
    answer = matching(sent)
    answer[0] = answer[0]._replace(spans=("00000000000000ff",))
    assert "span 00000000000000ff of trace" in str(judged(sent, kept(answer)).message)


@pytest.mark.parametrize("more", [-1, 1])
def test_a_count_that_is_not_that_of_the_matching_spans_is_wrong(sent: Sent, more: int) -> None:
    answer = matching(sent)
    assert answer[0].matched is not None
    answer[0] = answer[0]._replace(matched=answer[0].matched + more)
    assert "matching spans, but the answer tells of" in str(judged(sent, kept(answer)).message)


def test_a_trace_nobody_sent_is_wrong_where_nothing_else_is_there(sent: Sent) -> None:
    answer = [*matching(sent), FoundTrace("f" * 32, 1, ())]
    assert "was never sent" in str(judged(sent, kept(answer)).message)
    assert judged(sent, kept(answer), exclusive=False).checked == "unchecked"


def test_a_whole_trace_has_all_its_spans(sent: Sent) -> None:
    request: SentRequest = next(iter(sent.requests))
    trace = sent.traces(request)[0]
    spans = tuple(one.id for one in trace.spans)
    whole = {"pipeline": None, "window": None}
    assert judged(sent, kept([FoundTrace(trace.trace_id.hex(), None, spans)], **whole)).checked == "right"
    fewer = judged(sent, kept([FoundTrace(trace.trace_id.hex(), None, spans[1:])], **whole))
    assert (
        fewer.message
        == f"trace {trace.trace_id.hex()} has {len(spans)} spans, but the answer tells of {len(spans) - 1}"
    )


def test_what_the_oracle_cannot_tell_is_unchecked(sent: Sent) -> None:
    answer = kept(matching(sent), pipeline=pipeline('{ event:name = "x" }'))
    assert judged(sent, answer) == Verdict("unchecked", "event:name is not evaluated here")


def test_the_ledger_says_what_the_comparison_gave(
    settings: Callable[..., QuerySettings], template: Path, sends: pl.DataFrame, sent: Sent, tmp_path: Path
) -> None:
    sends.write_parquet(tmp_path / "sends.parquet")
    told = settings(
        queries=(NamedQuery("q", QUERY),),
        plan=(PlanEntry("q", "recent"),),
        sent=SentTelemetry(template=template, seed=SEED, ledger=tmp_path / "sends.parquet", exclusive=True),
        ledger=tmp_path / "queries.parquet",
    )
    answer = matching(sent)
    answers = {1: answer, 2: answer[1:], 3: answer}
    rows = [
        {
            "query": number,
            "step": 0,
            "name": "q",
            "kind": "search",
            "outcome": "succeeded",
            "started_ns": START_NS + 100 * SECOND,
            "ended_ns": START_NS + 101 * SECOND,
            "window_start_s": START_NS // SECOND - 60,
            "window_end_s": START_NS // SECOND + 60,
            "limited": False,
        }
        for number in answers
    ]
    pl.DataFrame([row(QUERIES, one) for one in rows], schema=QUERIES, orient="row").write_parquet(told.ledger)
    part = tmp_path / "answers.part"
    with LedgerWriter(part, ANSWERS) as writer:
        for number in (1, 2):
            traces = answers[number]
            identifiers, matched = [one.trace_id for one in traces], [one.matched for one in traces]
            writer.append([number, 0, identifiers, matched, [list(one.spans) for one in traces]])
    check_load(told, part)
    checked = read_ledger(told.ledger, QUERIES)
    assert checked["checked"].to_list() == ["right", "wrong", None]
    assert checked["outcome"].to_list() == ["succeeded", "failed", "succeeded"]
    assert checked["failure"].to_list() == [None, "wrong", None]
    assert "are missing" in checked["message"][1]
    assert not part.exists()


def test_what_was_sent_in_disorder_is_unchecked_and_need_not_be_found(template: Path, sends: pl.DataFrame) -> None:
    disorder = sends.with_columns(
        disorder=pl.Series(["late", None, None, None, "duplicate", None]),
        copies=pl.Series([None, None, None, None, 1, None], dtype=pl.Int64),
    )
    sent = Sent(Template.open(template), SEED, disorder)
    altered = {request.number for request in sent.requests if request.altered}
    assert altered == {0, 1, 4}
    answer = matching(sent)
    owners = sent.owners({trace.trace_id for trace in answer})
    sure = [trace for trace in answer if owners[trace.trace_id][0].number not in altered]
    assert 0 < len(sure) < len(answer)
    assert judged(sent, kept(sure)).checked == "right"
    assert judged(sent, kept(answer)).checked == "unchecked"
    assert judged(sent, kept(sure[1:])).checked == "wrong"
