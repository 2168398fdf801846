from __future__ import annotations

from vivace.backend.receive.answer import Cause, NotTaken, Taken
from vivace.backend.receive.figures import MOST_TENANTS, OTHER_TENANTS, ReceiverFigures


def test_tenants_that_are_made_up_do_not_fill_memory() -> None:
    figures = ReceiverFigures()
    for number in range(MOST_TENANTS + 50):
        figures.arrived(f"tenant-{number}", 10)
        figures.acknowledged(f"tenant-{number}", "grpc", Taken(2), 10)
        figures.not_taken(f"tenant-{number}", "grpc", NotTaken(Cause.OVERLOADED, "slower", spans=1))
    value = figures.registry.get_sample_value
    assert value("tempo_distributor_spans_received_total", {"tenant": "tenant-0"}) == 2
    assert value("tempo_distributor_spans_received_total", {"tenant": f"tenant-{MOST_TENANTS}"}) is None
    assert value("tempo_distributor_spans_received_total", {"tenant": OTHER_TENANTS}) == 100
    other = {"tenant": OTHER_TENANTS, "reason": "rate_limited"}
    assert value("tempo_discarded_spans_total", other) == 50
    assert value("tempo_receiver_refused_spans", {"receiver": "otlp/grpc", "transport": "grpc"}) == MOST_TENANTS + 50


def test_refused_spans_of_requests_that_were_taken_count_as_refused() -> None:
    figures = ReceiverFigures()
    figures.acknowledged("a", "http", Taken(3, rejected=4, message="too many"), 100)
    labels = {"receiver": "otlp/http", "transport": "http"}
    assert figures.registry.get_sample_value("tempo_receiver_accepted_spans", labels) == 3
    assert figures.registry.get_sample_value("tempo_receiver_refused_spans", labels) == 4
