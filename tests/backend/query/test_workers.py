"""Workers: bounded, and ending what nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from starlette.requests import Request

from vivace.backend.query.workers import Abandoned, Allowance, Overloaded, TimedOut, Workers


def request(gone: asyncio.Event) -> Request:
    """A request of a client that goes away when the event is set."""

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "GET", "path": "/", "headers": []}, receive)


def until_abandoned(check: Callable[[], None]) -> None:
    while True:
        check()
        threading.Event().wait(0.005)


def test_a_slow_query_does_not_hold_up_another() -> None:
    async def run() -> str:
        workers, gone, slow = Workers(threads=2, waiting=0), asyncio.Event(), threading.Event()
        first = asyncio.ensure_future(workers.run(request(gone), lambda _: slow.wait(10)))
        answer = await workers.run(request(gone), lambda _: "quick")
        slow.set()
        assert await first
        workers.close()
        return answer

    assert asyncio.run(run()) == "quick"


def test_more_than_may_wait_are_refused() -> None:
    async def run() -> None:
        workers, gone, slow = Workers(threads=1, waiting=1), asyncio.Event(), threading.Event()
        running = [asyncio.ensure_future(workers.run(request(gone), lambda _: slow.wait(10))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await workers.run(request(gone), lambda _: None)
        slow.set()
        await asyncio.gather(*running)
        assert await workers.run(request(gone), lambda _: 1) == 1
        workers.close()

    asyncio.run(run())


def test_a_query_ends_when_its_client_has_gone() -> None:
    async def run() -> None:
        workers, gone = Workers(threads=1), asyncio.Event()
        running = asyncio.ensure_future(workers.run(request(gone), until_abandoned))
        await asyncio.sleep(0.02)
        gone.set()
        with pytest.raises(Abandoned):
            await running
        workers.close()

    asyncio.run(run())


def test_a_query_past_its_time_is_ended() -> None:
    async def run() -> None:
        workers, gone = Workers(threads=1, waiting=0), asyncio.Event()
        with pytest.raises(TimedOut):
            await workers.run(request(gone), until_abandoned, Allowance(seconds=0.05))
        assert await workers.run(request(gone), lambda _: "next") == "next"
        workers.close()

    asyncio.run(run())


def test_a_query_that_does_not_notice_is_answered_for_and_counted_until_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vivace.backend.query.workers._GRACE_S", 0.0)

    async def run() -> None:
        workers, gone, slow = Workers(threads=1, waiting=0), asyncio.Event(), threading.Event()
        with pytest.raises(TimedOut):
            await workers.run(request(gone), lambda _: slow.wait(10), Allowance(seconds=0.05))
        with pytest.raises(Overloaded):
            await workers.run(request(gone), lambda _: None)
        slow.set()
        workers.close()

    asyncio.run(run())


def test_tenants_take_turns() -> None:
    async def run() -> list[str]:
        workers, gone, slow = Workers(threads=1), asyncio.Event(), threading.Event()
        answered: list[str] = []

        def ask(tenant: str) -> asyncio.Future[None]:
            def work(_: object) -> None:
                slow.wait(10)
                answered.append(tenant)

            return asyncio.ensure_future(workers.run(request(gone), work, Allowance(tenant)))

        asked = [ask(tenant) for tenant in ["many"] * 6 + ["few", "few"]]
        await asyncio.sleep(0.01)
        assert workers.waiting() == {"many": 5, "few": 2}
        slow.set()
        await asyncio.gather(*asked)
        assert workers.waiting() == {}
        workers.close()
        return answered

    assert asyncio.run(run()) == ["many", "many", "few", "many", "few", "many", "many", "many"]


def test_a_tenant_asks_no_more_at_once_than_it_may() -> None:
    async def run() -> None:
        workers, gone, slow = Workers(threads=1), asyncio.Event(), threading.Event()
        few = Allowance("small", at_once=2)
        running = [asyncio.ensure_future(workers.run(request(gone), lambda _: slow.wait(10), few)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="tenant small may ask 2"):
            await workers.run(request(gone), lambda _: None, few)
        other = asyncio.ensure_future(workers.run(request(gone), lambda _: "other", Allowance("large")))
        await asyncio.sleep(0)
        slow.set()
        await asyncio.gather(*running)
        assert await other == "other"
        assert await workers.run(request(gone), lambda _: "again", few) == "again"
        workers.close()

    asyncio.run(run())


def test_who_leaves_while_waiting_makes_room() -> None:
    async def run() -> None:
        workers, gone, stays, slow = Workers(threads=1, waiting=1), asyncio.Event(), asyncio.Event(), threading.Event()
        running = asyncio.ensure_future(workers.run(request(stays), lambda _: slow.wait(10)))
        waiting = asyncio.ensure_future(workers.run(request(gone), lambda _: "never"))
        await asyncio.sleep(0.01)
        assert workers.waiting() == {"single-tenant": 1}
        gone.set()
        with pytest.raises(Abandoned):
            await waiting
        assert workers.waiting() == {}
        another = asyncio.ensure_future(workers.run(request(stays), lambda _: "another"))
        await asyncio.sleep(0)
        slow.set()
        assert await another == "another"
        await running
        workers.close()

    asyncio.run(run())
