"""Every error a user can meet has one line and an exit code that callers rely on."""

from __future__ import annotations

import pytest

from vivace import errors
from vivace.errors import ExitCode, InvalidDocument, Problem, QueryError, VivaceError


def test_exit_codes_do_not_change() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "PASS": 0,
        "FAIL": 1,
        "USAGE": 2,
        "INVALID": 3,
        "TARGET": 4,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ConfigurationError", ExitCode.USAGE),
        ("InvalidDocument", ExitCode.USAGE),
        ("TemplateError", ExitCode.USAGE),
        ("QueryError", ExitCode.USAGE),
        ("OutputError", ExitCode.USAGE),
        ("TargetError", ExitCode.TARGET),
        ("Interrupted", ExitCode.INTERRUPTED),
    ],
)
def test_an_error_knows_its_exit_code(name: str, code: ExitCode) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, VivaceError)
    assert kind.exit_code is code


def test_a_problem_is_one_line_that_names_everything() -> None:
    problem = Problem("small.yaml", "k6.vus.max", "is 3, less than min (5)", "raise max or lower min", line=7)
    assert str(problem) == "small.yaml:7: k6.vus.max: is 3, less than min (5); raise max or lower min"


def test_a_problem_without_a_line_names_its_source() -> None:
    problem = Problem("environment variable VUS_MAX", "k6.vus.max", "is 0", "raise it")
    assert str(problem) == "environment variable VUS_MAX: k6.vus.max: is 0; raise it"


def test_all_problems_of_a_document_are_said() -> None:
    problems = [Problem("a.yaml", "name", "is missing", "add it"), Problem("a.yaml", "k6", "is missing", "add it")]
    error = InvalidDocument(problems)
    assert str(error) == "a.yaml: name: is missing; add it\na.yaml: k6: is missing; add it"
    assert error.problems == problems


def test_a_query_error_knows_its_place() -> None:
    assert (QueryError("no", 2, 5).line, QueryError("no", 2, 5).column) == (2, 5)
    assert (QueryError("no").line, QueryError("no").column) == (0, 0)
