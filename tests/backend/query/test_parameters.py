"""Each kind of bad parameter has its message."""

from __future__ import annotations

import pytest

from vivace.backend.query.parameters import (
    HOUR,
    SECOND,
    MetricsParameters,
    Window,
    metrics_parameters,
    search_parameters,
    search_window,
    tag_limit,
    trace_id,
)
from vivace.errors import QueryError

NOW = 1_700_000_000 * SECOND


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"q": "{}", "tags": "a=b"}, "can't specify tags and q"),
        ({"limit": "0"}, "invalid limit: must be a positive number"),
        ({"limit": "-1"}, 'invalid limit: strconv.ParseUint: parsing "-1"'),
        ({"limit": "262145"}, "limit 262145 exceeds max limit 262144"),
        ({"spss": "101"}, "spans per span set exceeds 100. received 101"),
        ({"spss": "0"}, "spans per span set exceeds 100. received 0"),
        ({"since": "x"}, "invalid since"),
        ({"spss": "x"}, 'invalid spss: strconv.ParseUint: parsing "x"'),
        ({"minDuration": "soon"}, 'invalid minDuration: time: invalid duration "soon"'),
        ({"minDuration": "2s", "maxDuration": "1s"}, "must be greater than minDuration"),
        ({"start": "5"}, "must provide both or neither"),
        ({"start": "9", "end": "9"}, "start must be before end"),
        ({"start": "x", "end": "9"}, "invalid start"),
        ({"tags": "a=b c"}, "invalid tags"),
        ({"tags": "=b"}, "invalid tags"),
    ],
)
def test_a_bad_search_parameter_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(QueryError, match=message.replace(".", r"\.")):
        search_parameters(given, NOW)


def test_search_parameters_have_defaults() -> None:
    parameters = search_parameters({}, NOW)
    assert (parameters.limit, parameters.spans, parameters.window) == (20, 3, Window())


def test_since_looks_back_from_now() -> None:
    assert search_parameters({"since": "5m"}, NOW).window == Window(NOW - 300 * SECOND, NOW)


def test_tags_are_pairs_in_logfmt() -> None:
    assert search_parameters({"tags": ' a=b  c.d="e \\"f\\" g" h='}, NOW).tags == {"a": "b", "c.d": 'e "f" g', "h": ""}


def test_a_window_is_in_whole_seconds() -> None:
    assert search_window({"start": "1", "end": "2"}) == Window(SECOND, 2 * SECOND)


@pytest.mark.parametrize(("text", "number"), [("a", 10), ("00ff", 255), ("F" * 32, (1 << 128) - 1), ("0" * 40, 0)])
def test_a_trace_id_is_hexadecimal(text: str, number: int) -> None:
    assert trace_id(text) == number


@pytest.mark.parametrize(
    ("text", "message"), [("12g4", "invalid character 'g' at position 3"), ("1" * 33, "larger than 128 bits")]
)
def test_a_bad_trace_id_is_refused(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        trace_id(text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"start": "20", "end": "10"}, "end must be greater than start"),
        ({"step": "-1s"}, "step must be positive"),
        ({"step": "0"}, "step must be positive"),
        ({"step": "x"}, 'cannot parse "x" to a valid duration'),
        ({"start": "yesterday"}, "could not parse 'start' parameter"),
        ({"since": "25h"}, "exceeds the maximum allowed duration of 24h0m0s"),
        ({"step": "1ms"}, "step of 1ms is too small, minimum step for given range is 360ms"),
        ({"since": "x"}, "invalid since"),
        ({"exemplars": "-1"}, "invalid exemplars"),
        ({"maxSeries": "many"}, "invalid maxSeries"),
    ],
)
def test_a_bad_metrics_parameter_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        metrics_parameters(given, NOW)


def test_series_and_exemplars_are_left_to_the_backend_or_told() -> None:
    told = metrics_parameters({"exemplars": "7", "maxSeries": "50"}, NOW)
    assert (told.exemplars, told.series) == (7, 50)
    left = metrics_parameters({}, NOW)
    assert (left.exemplars, left.series) == (0, 0)


@pytest.mark.parametrize(
    ("given", "start", "end", "step"),
    [
        ({}, NOW - HOUR, NOW, 0),
        ({"since": "5m", "step": "10s"}, NOW - 300 * SECOND, NOW, 10 * SECOND),
        ({"start": "1", "end": "2.5", "step": "0.5"}, SECOND, 5 * SECOND // 2, SECOND // 2),
        ({"start": "1700000000000000000", "end": "1700000001000000000"}, NOW, NOW + SECOND, 0),
        ({"start": "2023-11-14T22:13:20Z", "end": "2023-11-14T22:13:21Z"}, NOW, NOW + SECOND, 0),
    ],
)
def test_times_may_be_said_in_several_ways(given: dict[str, str], start: int, end: int, step: int) -> None:
    assert metrics_parameters(given, NOW) == MetricsParameters("", start, end, step)


def test_a_limit_of_tags_is_a_number() -> None:
    assert tag_limit({}) == 0
    with pytest.raises(QueryError, match="invalid limit"):
        tag_limit({"limit": "many"})


def test_a_window_may_be_bounded() -> None:
    asked = {"start": "100", "end": "3701"}
    assert search_parameters(asked, NOW).window == Window(100 * SECOND, 3701 * SECOND)
    with pytest.raises(QueryError, match=r"exceeds 1h0m0s\. received start=100 end=3701"):
        search_parameters(asked, NOW, HOUR)
    with pytest.raises(QueryError, match="exceeds 1h0m0s"):
        search_parameters({"since": "2h"}, NOW, HOUR)
    with pytest.raises(QueryError, match="exceeds the maximum allowed duration of 1m0s"):
        metrics_parameters({"since": "2m"}, NOW, 60 * SECOND)
    assert metrics_parameters({"since": "48h"}, NOW, 0).start_ns == NOW - 48 * HOUR
