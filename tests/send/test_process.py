"""A child process does not notice Ctrl-C, from its first moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.process import BaseProcess

import pytest

from vivace.send.process import start_process


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_child_outlives_the_interrupt(in_thread: bool) -> None:
    started: list[BaseProcess] = []

    def start() -> None:
        context = multiprocessing.get_context("spawn")
        process = start_process(context, "sleeper", time.sleep, 0.2)
        assert process.pid is not None
        for _ in range(20):
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.005)
        started.append(process)

    if in_thread:
        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
    else:
        start()
    [process] = started
    process.join(20)
    assert process.exitcode == 0
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
