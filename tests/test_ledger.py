"""What was written down can be read again, also what a process wrote that was killed."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.errors import OutputError
from vivace.ledger import (
    PROBES,
    QUERIES,
    SENDS,
    LedgerWriter,
    arrow_schema,
    merge_parts,
    read_ledger,
    read_part,
    row,
)

ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**62),
        st.text(max_size=8),
        st.none() | st.integers(-(2**15), 2**15 - 1),
        st.sampled_from(["found", "missing"]),
    ),
    max_size=20,
)


def probe(request: int, **values: object) -> list[object]:
    return row(PROBES, {"request": request, "outcome": "found"} | values)


@given(ROWS)
@settings(max_examples=40, deadline=None)
def test_rows_are_read_as_they_were_written(rows: list[tuple[int, str, int | None, str]]) -> None:
    schema = pl.Schema({"a": pl.Int64, "b": pl.String, "c": pl.Int16, "d": pl.String})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "part"
        with LedgerWriter(path, schema) as ledger:
            for values in rows:
                ledger.append(values)
        assert read_part(path, schema).rows() == rows


@pytest.mark.parametrize("schema", [SENDS, QUERIES, PROBES])
def test_an_empty_ledger_keeps_its_columns(schema: pl.Schema, tmp_path: Path) -> None:
    with LedgerWriter(tmp_path / "part", schema):
        pass
    path = merge_parts([tmp_path / "part"], schema, tmp_path / "ledger.parquet")
    assert read_ledger(path, schema).schema == schema
    assert pa.schema(arrow_schema(schema)).names == schema.names()


def test_rows_are_on_disk_a_second_after_they_were_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("vivace.ledger.monotonic", lambda: now)
    ledger = LedgerWriter(tmp_path / "part", PROBES)
    ledger.append(probe(1))
    assert read_part(tmp_path / "part", PROBES).is_empty()
    now = 101.0
    ledger.append(probe(2))
    assert read_part(tmp_path / "part", PROBES)["request"].to_list() == [1, 2]
    ledger.append(probe(3))
    ledger.close()
    assert read_part(tmp_path / "part", PROBES)["request"].to_list() == [1, 2, 3]


def test_a_torn_tail_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "part"
    ledger = LedgerWriter(path, PROBES)
    ledger.append(probe(1))
    ledger.flush()
    whole = path.stat().st_size
    ledger.append(probe(2))
    ledger.close()
    content = path.read_bytes()
    for size in range(whole, len(content) - 9, 16):
        path.write_bytes(content[:size])
        assert read_part(path, PROBES)["request"].to_list() in ([1], [1, 2])
    path.write_bytes(b"")
    assert read_part(path, PROBES).is_empty()


def test_parts_are_merged_in_the_order_of_the_schedule_and_removed(tmp_path: Path) -> None:
    parts = [tmp_path / "a.part", tmp_path / "b.part"]
    for first, part in enumerate(parts):
        with LedgerWriter(part, PROBES) as ledger:
            for number in range(first, 10, 2):
                ledger.append(probe(number))
    path = merge_parts(iter(parts), PROBES, tmp_path / "ledger.parquet", extra=[probe(10)])
    assert read_ledger(path, PROBES)["request"].to_list() == list(range(11))
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.parquet"]


def test_no_parts_make_an_empty_ledger(tmp_path: Path) -> None:
    path = merge_parts([], SENDS, tmp_path / "ledger.parquet")
    assert read_ledger(path, SENDS).is_empty()


def test_a_ledger_of_an_older_version_is_read_with_nulls(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    pl.DataFrame({"request": [1], "outcome": ["found"], "forgotten": [True]}).write_parquet(path)
    ledger = read_ledger(path, PROBES)
    assert ledger.schema == PROBES
    assert ledger.select("request", "outcome", "spans").rows() == [(1, "found", None)]


def test_a_row_of_named_values_is_in_the_order_of_the_columns() -> None:
    values = row(PROBES, {"outcome": "found", "request": 5})
    assert values == [5, None, None, None, None, "found", None, None]


def test_a_value_for_no_column_is_refused() -> None:
    with pytest.raises(KeyError, match="not in the ledger: colour, size"):
        row(PROBES, {"size": 1, "request": 5, "colour": "red"})


def test_a_row_that_is_too_short_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with LedgerWriter(tmp_path / "part", PROBES) as ledger:
        with pytest.raises(ValueError, match="a row has 8 values, not 2"):
            ledger.append([1, 2])
        ledger.append(probe(3))
    assert read_part(tmp_path / "part", PROBES)["request"].to_list() == [3]


def test_a_value_of_another_type_is_refused_and_the_file_closed(tmp_path: Path) -> None:
    ledger = LedgerWriter(tmp_path / "part", PROBES)
    ledger.append(probe(1))
    ledger.flush()
    ledger.append(probe(2, spans="many"))
    with pytest.raises(pa.ArrowInvalid):
        ledger.close()
    assert read_part(tmp_path / "part", PROBES)["request"].to_list() == [1]


def test_another_kind_of_ledger_is_refused(tmp_path: Path) -> None:
    part = tmp_path / "queries.part"
    LedgerWriter(part, QUERIES).close()
    merged = merge_parts([part], QUERIES, tmp_path / "small-sends.parquet")
    with pytest.raises(OutputError, match=r"small-sends.parquet: is another kind of ledger, without request"):
        read_ledger(merged, SENDS)


def test_a_disk_that_fills_up_leaves_the_parts(tmp_path: Path) -> None:
    part = tmp_path / "sends.part"
    LedgerWriter(part, SENDS).close()
    into = tmp_path / "folder" / "small-sends.parquet"
    with pytest.raises(OutputError, match=r"cannot be written: .*; make room; its rows are kept in sends.part"):
        merge_parts([part], SENDS, into)
    assert part.exists()
