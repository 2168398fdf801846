from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.strategies import REQUESTS

from vivace.backend.store.decode import decode


@given(st.lists(REQUESTS, max_size=3))
@settings(max_examples=100, deadline=None)
def test_what_is_decoded_is_what_was_sent(requests: list[bytes]) -> None:
    assert stored_spans(decode(requests)) == sent_spans(requests)


@given(st.lists(REQUESTS, max_size=3), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost_beyond_the_bound_on_columns(requests: list[bytes], bound: int) -> None:
    assert stored_spans(decode(requests, attribute_columns=bound)) == sent_spans(requests)
