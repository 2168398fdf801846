"""Draws the values that attribute generators make: many at a time, as encoded attributes."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from vivace.errors import ConfigurationError
from vivace.telemetry.arrays import Bytes, Numbers
from vivace.telemetry.attributes import Scalar, key_value
from vivace.telemetry.encode import key_values
from vivace.telemetry.fresh import MOST_WORDS, WORD, placeholders
from vivace.telemetry.generators import Generator, Length, Sequence
from vivace.telemetry.texts import decimal, fixed_texts, joined

POOL_BYTES: Final = 1 << 17
"""Texts are cut out of so much text."""
SYLLABLES: Final = ("ba", "co", "di", "en", "fra", "gu", "hel", "in", "ka", "lo", "mer", "nu", "or", "pre", "sta", "ti")
WORDS: Final = 2000


class Draws:
    """Draws for one batch of requests, whose numbers in the batch count from 0."""

    def __init__(self, random: np.random.Generator, requests: int, counters: dict[str, int]) -> None:
        """`counters` say how far sequences have come, and are kept up to date."""
        self._random = random
        self._counters = counters
        self._fresh_words = np.zeros(requests, np.int64)

    def some(self, rows: Numbers, share: float) -> Numbers:
        """That share of the rows."""
        return rows if share == 1 else rows[self._random.random(rows.size) < share]

    def attributes(self, place: str, key: str, generator: Generator, request: Numbers) -> pa.Array:
        """One encoded attribute for each of the requests, which ascend; `place` tells equal keys apart."""
        count = request.size
        if generator.sequence is not None:
            return key_values(key, self._sequence(f"{place}.{key}", generator.sequence, generator.prefix, count))
        if generator.cardinality is not None:
            return key_values(key, _prefixed(generator.prefix, decimal(self._ranks(generator, count))))
        if generator.size is not None:
            return key_values(key, _prefixed(generator.prefix, self._texts(generator.size, count)))
        if generator.fresh is not None:
            fresh = placeholders(self._slots(request, generator.fresh // WORD))
            return _alike(_encoded(key, generator.prefix + "~" * generator.fresh)[: -generator.fresh], fresh)
        return self._chosen(key, generator, count)

    def _chosen(self, key: str, generator: Generator, count: int) -> pa.Array:
        values, weights = zip(*(generator.choice or ((generator.constant, 1.0),)), strict=True)
        encoded = pa.array([_encoded(key, value) for value in values], pa.binary())
        share = np.array(weights) / sum(weights)
        return encoded.take(pa.array(self._random.choice(len(values), count, p=share)))

    def _sequence(self, name: str, sequence: Sequence, prefix: str, count: int) -> pa.Array:
        first = self._counters.get(name, 0)
        self._counters[name] = first + count
        numbers = sequence.start + sequence.step * np.arange(first, first + count)
        return _prefixed(prefix, decimal(numbers)) if prefix else pa.array(numbers)

    def _ranks(self, generator: Generator, count: int) -> Numbers:
        """Numbers from 0 to the cardinality, uniform or by Zipf's law (its continuous form)."""
        most = generator.cardinality or 1
        if generator.distribution == "uniform":
            return self._random.integers(most, size=count)
        chance, rest = self._random.random(count), 1 - generator.exponent
        if abs(rest) < 1e-9:
            rank = np.exp(chance * np.log(most + 1))
        else:
            rank = (1 + chance * ((most + 1) ** rest - 1)) ** (1 / rest)
        return np.asarray(np.minimum(rank.astype(np.int64), most) - 1)

    def _texts(self, length: Length, count: int) -> pa.Array:
        """Words of a made-up language."""
        pool = _pool(self._random)
        sizes = self._random.integers(length.min, length.max + 1, count)
        ends = np.cumsum(sizes)
        start = self._random.integers(pool.size, size=count)
        place = np.arange(ends[-1] if count else 0) + np.repeat(start - (ends - sizes), sizes)
        offsets = pa.py_buffer(np.append(0, ends).astype(np.int32))
        return pa.Array.from_buffers(pa.string(), count, [None, offsets, pa.py_buffer(pool.take(place, mode="wrap"))])

    def _slots(self, request: Numbers, words: int) -> Numbers:
        """The next free slots of each request, (values, words)."""
        number = np.arange(request.size) - np.searchsorted(request, request)
        slots = (self._fresh_words[request] + number * words)[:, None] + np.arange(words)
        self._fresh_words += words * np.bincount(request, minlength=self._fresh_words.size)
        if self._fresh_words.max(initial=0) > MOST_WORDS:
            raise ConfigurationError(
                f"traces: a request has over {MOST_WORDS} words of fresh text; lower traces_per_request"
            )
        return slots


def _encoded(key: str, value: Scalar | None) -> bytes:
    return key_value(key, "" if value is None else value).SerializeToString(deterministic=True)


def _alike(beginning: bytes, endings: Bytes) -> pa.Array:
    """Binary values that all begin with the same bytes; one for each row of endings."""
    whole = np.empty((len(endings), len(beginning) + endings.shape[1]), np.uint8)
    whole[:, : len(beginning)] = np.frombuffer(beginning, np.uint8)
    whole[:, len(beginning) :] = endings
    return fixed_texts(whole).view(pa.binary())


def _prefixed(prefix: str, texts: pa.Array) -> pa.Array:
    return joined(pa.repeat(prefix, len(texts)), texts) if prefix else texts


def _pool(random: np.random.Generator) -> Bytes:
    """Text in which some words are frequent, so that it compresses as text does."""
    words = ["".join(random.choice(SYLLABLES, random.integers(1, 5))) for _ in range(WORDS)]
    ranks = np.minimum(random.zipf(1.3, POOL_BYTES // 4), WORDS) - 1
    text = " ".join(words[rank] for rank in ranks.tolist())
    return np.frombuffer(text.encode()[:POOL_BYTES], np.uint8)
