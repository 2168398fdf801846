from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vivace.errors import TemplateError
from vivace.telemetry.compressed import compress
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Template


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    generate_traces(TraceSettings(profile="small", traces=50, traces_per_request=10, seed=3), tmp_path / "shop")
    path = tmp_path / "shop-traces.pb.zst"
    compress(tmp_path / "shop-traces.pb", path)
    return path


def test_a_compressed_template_is_replayed_as_a_plain_one(packed: Path) -> None:
    plain = Template.open(packed.with_suffix(""))
    for template in (Template.open(packed), Template.open(packed)):
        assert np.array_equal(template.payload, plain.payload)
        assert sent_request(template, 1, 3, 10**18) == sent_request(plain, 1, 3, 10**18)
    assert packed.stat().st_size < plain.payload.size / 3


def test_unpacking_leaves_no_file_behind(packed: Path) -> None:
    Template.open(packed)
    assert {path.name for path in packed.parent.iterdir()} == {
        "shop-metadata.yaml",
        "shop-traces.index",
        "shop-traces.pb",
        "shop-traces.pb.index",
        "shop-traces.pb.zst",
    }


@pytest.mark.parametrize("size", [3, 1000, -1])
def test_a_truncated_file(packed: Path, size: int) -> None:
    packed.write_bytes(packed.read_bytes()[:size])
    with pytest.raises(TemplateError, match=r"shop-traces\.pb\.zst: is not zstd, or truncated; generate it again"):
        Template.open(packed)


def test_a_file_that_is_not_compressed(packed: Path) -> None:
    packed.write_bytes(packed.with_suffix("").read_bytes())
    with pytest.raises(TemplateError, match="is not zstd, or truncated"):
        Template.open(packed)


def test_a_file_that_holds_nothing(packed: Path) -> None:
    empty = packed.with_name("empty")
    empty.write_bytes(b"")
    compress(empty, packed)
    with pytest.raises(TemplateError, match="holds nothing; generate it again"):
        Template.open(packed)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="cannot be read: No such file or directory"):
        Template.open(tmp_path / "none-traces.pb.zst")
