from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.store.rebuild import distinct_spans, stored_spans
from tests.backend.store.strategies import REQUESTS

from vivace.backend.store.decode import decode
from vivace.backend.store.merge import merge


@given(st.lists(REQUESTS, min_size=2, max_size=4), st.integers(1, 3), st.sampled_from([1, 3, 512]))
@settings(max_examples=40, deadline=None)
def test_merged_tables_hold_what_was_sent(requests: list[bytes], split: int, bound: int) -> None:
    parts = [decode(requests[:split], bound), decode(requests[split:], bound)]
    assert stored_spans(merge(parts, bound)) == distinct_spans(requests)
