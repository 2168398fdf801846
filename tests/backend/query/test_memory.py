from __future__ import annotations

from vivace.backend.query.memory import Memory


def counted(memory: Memory, owner: int, what: str, size: int, made: list[str]) -> str:
    def make() -> str:
        made.append(what)
        return what

    return memory.get(owner, what, make, lambda _: size)


def test_a_result_is_made_once() -> None:
    memory, made = Memory(100), list[str]()
    assert [counted(memory, 1, "a", 10, made) for _ in range(3)] == ["a", "a", "a"]
    assert made == ["a"]
    assert memory.held == 10


def test_the_least_recently_used_result_goes_first() -> None:
    memory, made = Memory(25), list[str]()
    for what in ("a", "b", "a", "c", "a", "b"):
        counted(memory, 1, what, 10, made)
    assert made == ["a", "b", "c", "b"]
    assert memory.held == 20


def test_a_result_larger_than_the_memory_is_given_but_not_kept() -> None:
    memory, made = Memory(5), list[str]()
    assert counted(memory, 1, "a", 10, made) == "a"
    assert memory.held == 0


def test_what_belongs_to_an_owner_can_be_forgotten() -> None:
    memory, made = Memory(100), list[str]()
    for owner in (1, 2):
        counted(memory, owner, "a", 10, made)
    memory.forget(1)
    assert memory.held == 10
    counted(memory, 2, "a", 10, made)
    assert made == ["a", "a"]


class Owner(int):
    """Counts how often it is looked at."""

    looked_at = 0

    def __eq__(self, other: object) -> bool:
        Owner.looked_at += 1
        return int(self) == other

    def __hash__(self) -> int:
        return int(self)


def test_what_others_have_is_not_looked_at_to_forget() -> None:
    memory, made = Memory(10_000), list[str]()
    for owner in range(1000):
        counted(memory, Owner(owner), "a", 1, made)
    before = Owner.looked_at
    memory.forget(Owner(5))
    assert memory.held == 999
    assert Owner.looked_at - before < 10


def test_what_has_gone_by_itself_can_be_forgotten() -> None:
    memory, made = Memory(20), list[str]()
    for what, size in (("a", 10), ("b", 10), ("c", 10), ("c", 100)):
        counted(memory, 1, what, size, made)
    memory.get(1, "d", lambda: made.append("d"), lambda _: 100)
    memory.forget(1)
    assert memory.held == 0


def test_what_answers_single_queries_never_drives_out_what_lasts() -> None:
    memory, made = Memory(80_000), list[str]()
    counted(memory, 1, "column", 60_000, made)
    for number in range(20):
        memory.get(1, number, lambda: "answer", lambda _: 2000, passing=True)
    assert 68_000 < memory.held <= 70_000
    counted(memory, 1, "column", 60_000, made)
    assert made == ["column"]
    memory.forget(1)
    assert memory.held == 0


def test_a_result_larger_than_the_memory_drives_nothing_out() -> None:
    memory, made = Memory(80), list[str]()
    counted(memory, 1, "a", 10, made)
    counted(memory, 1, "b", 100, made)
    counted(memory, 1, "a", 10, made)
    assert made == ["a", "b"]
