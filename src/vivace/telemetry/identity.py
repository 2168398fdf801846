"""The IDs of a request: a pure function of the seed and the request's number, so that none need be stored.

A group of requests that share traces owns one run of random 8-byte words: trace t has words 2t and 2t+1, span s of the
group's T traces has word 2T+s.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from vivace.telemetry.arrays import Words
from vivace.telemetry.template import Template

STREAM: Final = 0x7669_7661_6365_0001
"""Second half of the generator's key: other uses of the same seed draw from other streams."""
FRESH_STREAM: Final = 0x7669_7661_6365_0010
HEX: Final = np.frombuffer(b"".join(value.to_bytes(2, "little").hex().encode() for value in range(1 << 16)), np.uint32)
"""The four hexadecimal digits of every two bytes."""
NO_WORDS: Final = np.zeros(0, np.uint64)


@lru_cache(maxsize=8)
def group_words(seed: int, replay: int, group: int, words: int) -> Words:
    """The random words of a group in the given replay of the template; their little-endian bytes are the IDs.

    Requests that follow each other are often of one group, hence the cache; the words are read-only.
    """
    key, counter = np.array([seed, STREAM], np.uint64), np.array([0, group, replay, 0], np.uint64)
    drawn = np.random.Philox(key=key, counter=counter).random_raw(words)
    drawn.flags.writeable = False
    return drawn


def fresh_words(seed: int, replay: int, group: int, words: int) -> Words:
    """The fresh text of a group in the given replay, 8 characters a word: random bytes, written in hexadecimal."""
    key, counter = np.array([seed, FRESH_STREAM], np.uint64), np.array([0, group, replay, 0], np.uint64)
    drawn = np.random.Philox(key=key, counter=counter).random_raw((words + 1) // 2)
    return HEX.take(drawn.view(np.uint16), mode="wrap").view(np.uint64)[:words]


def request_values(template: Template, seed: int, number: int) -> Words:
    """The fresh text that request `number` (counted from 0 over all replays) draws from."""
    replay, request = divmod(number, len(template))
    words = 0 if template.values is None else int(template.values.words[request])
    return fresh_words(seed, replay, int(template.requests.group[request]), words) if words else NO_WORDS


def request_words(template: Template, seed: int, number: int) -> Words:
    """The words of the groups that request `number` (counted from 0 over all replays) draws from."""
    replay, request = divmod(number, len(template))
    rows = slice(template.group_bounds[request], template.group_bounds[request + 1])
    groups, counts = template.groups[rows].tolist(), template.group_words[rows].tolist()
    words = [group_words(seed, replay, group, count) for group, count in zip(groups, counts, strict=True)]
    return words[0] if len(words) == 1 else np.concatenate([NO_WORDS, *words])


def trace_ids(template: Template, seed: int, number: int) -> list[bytes]:
    """The 16-byte IDs of the traces in request `number`, in the order of the template's traces."""
    traces = int(template.requests.traces[number % len(template)])
    data = request_words(template, seed, number)[: 2 * traces].astype("<u8").tobytes()
    return [data[place : place + 16] for place in range(0, len(data), 16)]
