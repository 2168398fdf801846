"""Being asked by a signal to stop."""

from __future__ import annotations

import signal
from _thread import start_new_thread
from collections.abc import Callable, Mapping
from threading import Event
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any] | int | None


def set_on_signals(stop: Event, *numbers: signal.Signals) -> Mapping[signal.Signals, Handler]:
    """Lets these signals set the event; returns who handled them before."""
    return {number: signal.signal(number, lambda *_: set_from_handler(stop)) for number in numbers}


def set_from_handler(stop: Event) -> None:
    """Sets an event, whatever the signal interrupted.

    The handler runs in the main thread, between two of its instructions. Where those are in the event's own wait(),
    which holds a lock, set() would wait for itself for ever: another thread has to call it.
    """
    start_new_thread(stop.set, ())
