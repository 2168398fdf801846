"""Child processes that leave Ctrl-C to their parent."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.resource_tracker import ensure_running


def start_process(context: SpawnContext, name: str, target: Callable[..., object], *args: object) -> BaseProcess:
    """Starts a process that ends with this one at the latest, and inherits that Ctrl-C is held back in this thread."""
    ensure_running()  # the first start would do so, and let Ctrl-C through again
    process = context.Process(target=target, args=args, name=name, daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process
