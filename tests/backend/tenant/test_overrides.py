"""The file of limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.backend.tenant.limits import Limits
from vivace.backend.tenant.overrides import Overrides
from vivace.errors import InvalidDocument

GOOD = """
defaults:
  ingestion: {rate_limit_bytes: 30MB, burst_size_bytes: 40000000}
  compaction: {block_retention: 336h}
overrides:
  team-a:
    ingestion: {rate_limit_bytes: 0}
    global: {max_spans_per_trace: 1000}
"""
BAD = """
defaults:
  ingestion: {rate_limit_bytes: much, burst: 1}
overrides:
  team-a: {compaction: {block_retention: 5}}
"""


def test_without_a_file_nothing_is_limited_that_is_written() -> None:
    limits = Overrides().of("anybody")
    assert limits == Limits()
    assert limits.ingestion.rate_limit_bytes == 0
    assert limits.shown()["read"]["max_metrics_duration"] == "24h"


def test_a_tenant_has_the_defaults_where_it_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(GOOD)
    overrides = Overrides(path)
    own = overrides.of("team-a")
    assert own.ingestion.rate_limit_bytes == 0
    assert own.ingestion.burst_size_bytes == 40_000_000
    assert own.global_.max_spans_per_trace == 1000
    assert own.compaction.block_retention == 336 * 3600
    assert overrides.of("team-b").ingestion.rate_limit_bytes == 30_000_000
    assert overrides.of("team-b") == overrides.defaults()
    assert set(overrides.tenants()) == {"team-a"}


def test_the_manual_shows_a_file_that_can_be_used(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "backend.md").read_text()
    path = tmp_path / "limits.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    own = Overrides(path).of("team-a")
    assert own.ingestion.rate_limit_bytes == 5_000_000
    assert own.ingestion.max_attribute_bytes == 2048
    assert own.compaction.block_retention == 24 * 3600


def test_every_problem_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(BAD)
    with pytest.raises(InvalidDocument) as refused:
        Overrides(path)
    text = str(refused.value)
    assert f"{path}:3: defaults.ingestion.rate_limit_bytes" in text
    assert f"{path}:3: defaults.ingestion.burst" in text
    assert len(refused.value.problems) == 3
    assert f"{path}:5: overrides.team-a.compaction.block_retention" in text


def test_a_name_that_no_tenant_can_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    names = ["team-a.(x)", "a/b", "'a|b'", "..", "x" * 151, "''", "'*'"]
    path.write_text("overrides:\n" + "".join(f"  {name}: {{}}\n" for name in names))
    with pytest.raises(InvalidDocument) as refused:
        Overrides(path)
    alone = "name one tenant, with letters, digits and !-_.*'() alone"
    assert str(refused.value).splitlines() == [
        f"{path}:3: overrides.a/b: tenant ID 'a/b' contains unsupported character '/'; {alone}",
        f"{path}:4: overrides.a|b: tenant ID 'a|b' contains unsupported character '|'; {alone}",
        f"{path}:5: overrides...: tenant ID is '.' or '..'; {alone}",
        f"{path}:6: overrides.{'x' * 151}: tenant ID is too long: max 150 characters; {alone}",
        f"{path}:7: overrides.: no org id; {alone}",
        f"{path}:8: overrides.*: stands for no tenant here; write what holds for all tenants under `defaults`",
    ]


def test_a_changed_file_is_followed_and_a_bad_one_is_not(tmp_path: Path) -> None:
    path, reports = tmp_path / "limits.yaml", list[str]()
    path.write_text(GOOD)
    overrides = Overrides(path, reports.append)
    (look,) = overrides.looks
    path.write_text(GOOD.replace("1000", "20000"))
    look()
    assert overrides.of("team-a").global_.max_spans_per_trace == 20_000
    path.write_text(BAD)
    look()
    look()
    assert overrides.of("team-a").global_.max_spans_per_trace == 20_000
    assert len(reports) == 1
    assert "the limits stay as they were" in reports[0]
    assert Overrides().looks == ()
