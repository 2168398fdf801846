"""Child processes that leave Ctrl-C to their parent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess


def start_process(context: SpawnContext, name: str, target: Callable[..., object], *args: object) -> BaseProcess:
    """Starts a process that ends with this one at the latest, and ignores Ctrl-C from its first moment."""
    process = context.Process(target=target, args=args, name=name, daemon=True)
    with _interrupts_ignored():
        process.start()
    return process


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A child inherits this; only the main thread may ask for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
