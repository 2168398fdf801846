from __future__ import annotations

import numpy as np
import pyarrow as pa

from vivace.backend.store.row_groups import SMALL, row_groups


def test_groups_hold_the_rows_and_only_the_values_they_need() -> None:
    few = pa.array([None if number % 7 == 0 else "few" for number in range(1000)], pa.string()).dictionary_encode()
    many = pa.array([None if number % 5 == 0 else f"v{number % 700}" for number in range(1000)]).dictionary_encode()
    full = pa.array([f"v{number}" for number in range(1000)]).dictionary_encode()
    batch = pa.record_batch({"few": few, "many": many, "full": full, "number": pa.array(np.arange(1000))})
    assert len(many.dictionary) > SMALL
    groups = list(row_groups(batch, 300))
    assert [group.num_rows for group in groups] == [300, 300, 300, 100]
    assert [row for group in groups for row in group.to_pylist()] == batch.to_pylist()
    for group in groups:
        for name in ("many", "full"):
            column = group.column(name)
            assert set(column.dictionary.to_pylist()) == set(column.drop_null().to_pylist())
        assert group.schema == batch.schema


def test_a_table_without_rows_has_no_groups() -> None:
    assert list(row_groups(pa.record_batch({"a": pa.array([], pa.int64())}), 10)) == []
