"""Every outcome there is, over every protocol, against a sink that fails as it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from tests.send.exporting import WAYS, answers_of, answers_over, exporter_over, in_flight
from tests.send.requests import REQUESTS, trace_request

from vivace.send.answer import Answer, Outcome
from vivace.send.sink import Counting, Faults, Sink, SinkSettings
from vivace.send.sink.fate import Fate, Fates
from vivace.send.transport import Compression, OtlpProtocol, Transport
from vivace.telemetry.template import Signal

PROTOCOLS = list(OtlpProtocol)
REQUEST = trace_request(5)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink(SinkSettings(counting=Counting.TRACES)) as sink:
        yield sink


def failing(**faults: float | str) -> Sink:
    return Sink(SinkSettings(counting=Counting.ITEMS, faults=Faults(**faults)))  # type: ignore[arg-type]


def answer_of(sink: Sink, protocol: OtlpProtocol, timeout_s: float = 10.0) -> Answer:
    [answer] = answers_over(REQUEST, endpoints=(sink.address,), protocol=protocol, timeout_s=timeout_s)
    return answer


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize(("protocol", "compression"), WAYS)
def test_every_signal_arrives_whole_over_every_protocol(
    sink: Sink, protocol: OtlpProtocol, compression: Compression, signal: Signal
) -> None:
    before = sink.counts()
    payloads = [REQUESTS[signal](count) for count in (1, 0, 40, 7)]
    answers = answers_over(
        *payloads, signal=signal, endpoints=(sink.address,), protocol=protocol, compression=compression
    )
    assert answers == [Answer(Outcome.ACKNOWLEDGED, "OK")] * 4
    counts = sink.counts()
    assert counts.requests - before.requests == 4
    assert sum((counts.spans or 0, counts.points or 0, counts.records or 0)) == 48 + sum(
        (before.spans or 0, before.points or 0, before.records or 0)
    )
    assert counts.traces_exact is True
    assert counts.traces == max(before.traces or 0, 0 if signal is Signal.METRICS else 40)


@pytest.mark.parametrize(("protocol", "compression"), WAYS)
def test_many_requests_are_in_flight_at_once(sink: Sink, protocol: OtlpProtocol, compression: Compression) -> None:
    before = sink.counts()
    payloads = [trace_request(3)] * 300
    answers = answers_over(*payloads, endpoints=(sink.address,), protocol=protocol, compression=compression)
    assert {answer.outcome for answer in answers} == {Outcome.ACKNOWLEDGED}
    assert (sink.counts().spans or 0) - (before.spans or 0) == 900


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_large_requests_arrive_whole(sink: Sink, protocol: OtlpProtocol) -> None:
    before = sink.counts()
    payloads = [trace_request(20_000)] * 4
    answers = answers_over(*payloads, endpoints=(sink.address,), protocol=protocol)
    assert {answer.outcome for answer in answers} == {Outcome.ACKNOWLEDGED}
    assert (sink.counts().spans or 0) - (before.spans or 0) == 80_000


@pytest.mark.parametrize(
    ("protocol", "status"),
    [(OtlpProtocol.GRPC, "INTERNAL"), (OtlpProtocol.HTTP_PROTOBUF, "HTTP 500"), (OtlpProtocol.HTTP_JSON, "HTTP 500")],
)
def test_a_refusal_is_a_failure_with_the_targets_words(protocol: OtlpProtocol, status: str) -> None:
    with failing(refuse=1.0, refuse_status="INTERNAL") as sink:
        assert answer_of(sink, protocol) == Answer(Outcome.FAILED, status, "refused on purpose")
        assert (sink.counts().requests, sink.counts().spans, sink.counts().faults["refused"]) == (0, 0, 1)


@pytest.mark.parametrize(
    ("protocol", "status"), [(OtlpProtocol.GRPC, "UNAVAILABLE"), (OtlpProtocol.HTTP_PROTOBUF, "HTTP 503")]
)
def test_an_unavailable_target_may_be_tried_again(protocol: OtlpProtocol, status: str) -> None:
    with failing(refuse=1.0, refuse_status="503") as sink:
        answer = answer_of(sink, protocol)
        assert (answer.status, answer.retryable, answer.retry_after_s) == (status, True, None)


@pytest.mark.parametrize(
    ("protocol", "status", "seconds"),
    [
        (OtlpProtocol.GRPC, "RESOURCE_EXHAUSTED", 2.5),
        (OtlpProtocol.HTTP_PROTOBUF, "HTTP 429", 3.0),
        (OtlpProtocol.HTTP_JSON, "HTTP 429", 3.0),
    ],
)
def test_a_throttled_request_may_be_tried_again_when_the_target_says(
    protocol: OtlpProtocol, status: str, seconds: float
) -> None:
    with failing(throttle=1.0, retry_after_s=2.5) as sink:
        answer = answer_of(sink, protocol)
    assert (answer.outcome, answer.status) == (Outcome.FAILED, status)
    assert (answer.retryable, answer.retry_after_s) == (True, seconds)


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_partial_success_says_how_many_items_were_refused(protocol: OtlpProtocol, signal: Signal) -> None:
    with failing(partial=1.0, partial_items=2) as sink:
        [answer] = answers_over(REQUESTS[signal](5), signal=signal, endpoints=(sink.address,), protocol=protocol)
        counts = sink.counts()
    assert (answer.outcome, answer.rejected) == (Outcome.ACKNOWLEDGED, 2)
    assert answer.message == "some items are refused on purpose"
    assert sum((counts.spans or 0, counts.points or 0, counts.records or 0)) == 3
    assert (counts.faults["partial"], counts.faults["rejected"]) == (1, 2)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_connection_that_is_dropped_leaves_the_outcome_unknown(protocol: OtlpProtocol) -> None:
    with failing(drop=1.0) as sink:
        answer = answer_of(sink, protocol)
        assert (answer.outcome, answer.status, answer.retryable) == (Outcome.UNKNOWN, "UNAVAILABLE", True)
        assert "connection lost" in (answer.message or "")
        assert sink.counts().faults["dropped"] == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_target_that_hangs_leaves_the_outcome_unknown(protocol: OtlpProtocol) -> None:
    with failing(hang=1.0) as sink:
        answer = answer_of(sink, protocol, timeout_s=0.3)
        assert (answer.outcome, answer.status) == (Outcome.UNKNOWN, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_delayed_answer_is_an_answer(protocol: OtlpProtocol) -> None:
    with (
        failing(delay=1.0, delay_s=0.3) as sink,
        exporter_over(Transport(endpoints=(sink.address,), protocol=protocol)) as exporter,
    ):
        exporter.export(REQUEST, in_flight(0))
        assert exporter.wait(0.05) == []
        [ended] = exporter.wait(10.0)
        assert ended.answer == Answer(Outcome.ACKNOWLEDGED, "OK")
        assert sink.counts().faults["delayed"] == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_rates_mix_outcomes_and_the_sums_agree(protocol: OtlpProtocol) -> None:
    faults = {"refuse": 0.2, "throttle": 0.2, "partial": 0.2, "drop": 0.05, "seed": 7}
    with (
        failing(**faults) as sink,
        exporter_over(Transport(endpoints=(sink.address,), protocol=protocol)) as exporter,
    ):
        answers = [answers_of(exporter, REQUEST)[0] for _ in range(200)]
        counts = sink.counts()
    outcomes = Counter(answer.outcome for answer in answers)
    assert outcomes[Outcome.ACKNOWLEDGED] == counts.requests > 0
    assert outcomes[Outcome.UNKNOWN] == counts.faults["dropped"] > 0
    assert outcomes[Outcome.FAILED] == counts.faults["refused"] + counts.faults["throttled"] > 0
    assert sum(answer.rejected for answer in answers) == counts.faults["rejected"] > 0
    assert counts.spans == 5 * counts.requests - counts.faults["rejected"]


def test_the_same_seed_gives_the_same_faults() -> None:
    def drawn(seed: int) -> list[tuple[Fate, bool]]:
        fates = Fates(Faults(refuse=0.3, hang=0.3, delay=0.5, seed=seed), 0)
        return [fates.draw() for _ in range(100)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {fate for fate, _ in drawn(1)} == {Fate.TAKEN, Fate.REFUSED, Fate.HUNG}
