"""A signal is heeded wherever it finds the program."""

from __future__ import annotations

import signal
from threading import Event

from vivace.signals import set_on_signals


def test_an_event_is_set_though_the_signal_comes_while_it_is_being_waited_for() -> None:
    stop = Event()
    before = set_on_signals(stop, signal.SIGUSR1)
    try:
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGUSR1)
            assert not stop.is_set()
        assert stop.wait(30)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
