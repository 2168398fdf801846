"""Answers that grpcio's servers do not give, but proxies and others do."""

from __future__ import annotations

import pytest

from vivace.send.answer import Answer, Outcome, lost_answer, reset_answer, response_answer, timeout_answer


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(b"404", Outcome.FAILED), (b"429", Outcome.FAILED), (b"502", Outcome.UNKNOWN), (b"504", Outcome.UNKNOWN)],
)
def test_a_proxy_answers_without_grpc(status: bytes, outcome: Outcome) -> None:
    answer = response_answer(((b":status", status), (b"content-type", b"text/html")), b"<html>")
    assert (answer.outcome, answer.status) == (outcome, f"HTTP {status.decode()}")


def test_a_stream_that_ends_without_a_status_says_nothing() -> None:
    assert response_answer(((b":status", b"200"),), b"").outcome is Outcome.UNKNOWN


def test_a_status_that_does_not_exist_is_a_failure() -> None:
    answer = response_answer(((b":status", b"200"), (b"grpc-status", b"99")), b"")
    assert (answer.outcome, answer.status) == (Outcome.FAILED, "UNKNOWN")


def test_a_compressed_answer_was_not_asked_for() -> None:
    answer = response_answer(((b":status", b"200"), (b"grpc-status", b"0")), b"\x01\0\0\0\x01x")
    assert answer.outcome is Outcome.UNKNOWN


def test_long_words_are_cut() -> None:
    headers = ((b":status", b"200"), (b"grpc-status", b"8"), (b"grpc-message", b"x" * 10_000))
    assert len(response_answer(headers, b"").message or "") == 300


@pytest.mark.parametrize("answer", [reset_answer(8, False), lost_answer("why", False), timeout_answer(1.5, False)])
def test_what_was_not_sent_whole_has_failed(answer: Answer) -> None:
    assert answer.outcome is Outcome.FAILED
    assert "before all was sent" in (answer.message or "")


@pytest.mark.parametrize("answer", [reset_answer(8, True), lost_answer("why", True), timeout_answer(1.5, True)])
def test_what_was_sent_whole_may_have_been_stored(answer: Answer) -> None:
    assert answer.outcome is Outcome.UNKNOWN
