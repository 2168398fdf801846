"""Replacements keep the shape of what they replace; distinct values stay distinct, and none stays itself."""

from __future__ import annotations

import ipaddress
import math
import re
import unicodedata
import uuid
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vivace.telemetry.capture.permutation import Permutation
from vivace.telemetry.capture.pseudonyms import EXACT, LARGEST, Pseudonyms
from vivace.telemetry.capture.shape import shape

PSEUDONYMS = Pseudonyms(b"key")
MODEST = settings(max_examples=150, deadline=None)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
structured = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda value: str(value).upper()),
    st.ip_addresses().map(str),
    st.integers(0, 1 << 130).map("{:x}".format),
    st.integers(0, 1 << 70).map(str),
    st.from_regex(r"/[a-z]{1,8}(/[a-z0-9]{1,8}){0,3}", fullmatch=True),
    st.sampled_from(["GET /cart", "300.1.2.3", "1.2.3.4.5", "::", "::1", "a::b", "12:34:56", "deadbeef", "dead::beef"]),
    texts,
)


def classes(text: str) -> list[str]:
    """Upper-case and lower-case letters, digits, punctuation and so on, position by position."""
    return [unicodedata.category(character) for character in text]


@MODEST
@given(structured)
def test_length_and_shape_are_kept(text: str) -> None:
    replaced = PSEUDONYMS.text(text)
    assert len(replaced) == len(text)
    assert len(replaced.encode()) == len(text.encode())
    assert shape(replaced) == shape(text)
    assert classes(replaced) == classes(text)


@MODEST
@given(st.lists(structured, unique=True, max_size=30))
def test_equal_stays_equal_and_distinct_stays_distinct(values: list[str]) -> None:
    again = Pseudonyms(b"key")
    replaced = [PSEUDONYMS.text(value) for value in values]
    assert len(set(replaced)) == len(values)
    assert [again.text(value) for value in values] == replaced


@pytest.mark.parametrize("alphabet", ["0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"])
def test_short_texts_are_permuted_without_exception(alphabet: str) -> None:
    """All texts of up to three characters, public words such as GET and AND among them."""
    for length in (1, 2, 3):
        values = ["".join(characters) for characters in product(alphabet, repeat=length)]
        replaced = [PSEUDONYMS.text(value) for value in values]
        assert sorted(replaced) == sorted(values)
        same = {value for value, other in zip(values, replaced, strict=True) if value == other}
        assert same == {word for word in ("GET", "PUT", "AND", "NOT") if word in values}


@MODEST
@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=50))
def test_no_word_stays_itself(word: str) -> None:
    assert PSEUDONYMS.text(word) != word or word in {"http", "https", "grpc"}


@MODEST
@given(st.uuids())
def test_a_uuid_stays_one_of_its_version(value: uuid.UUID) -> None:
    replaced = uuid.UUID(PSEUDONYMS.text(str(value)))
    assert (replaced.version, replaced.variant) == (value.version, value.variant)
    assert replaced != value


@MODEST
@given(st.ip_addresses())
def test_an_ip_address_stays_one(value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assume(str(value) != "::")
    text = f"from {value}, port 80"
    replaced = PSEUDONYMS.text(text)
    assert ipaddress.ip_address(replaced.split()[1].rstrip(",")).version == value.version
    assert str(value) not in replaced


def test_an_address_of_both_versions_stays_one() -> None:
    assert ipaddress.ip_address(PSEUDONYMS.text("::ffff:10.0.12.250")).version == 6


def test_words_are_replaced_alike_wherever_they_stand() -> None:
    service = PSEUDONYMS.text("checkout")
    assert PSEUDONYMS.text("GET /checkout/cart") == f"GET /{service}/{PSEUDONYMS.text('cart')}"
    assert PSEUDONYMS.text("SELECT checkout") == f"SELECT {service}"


def test_no_word_becomes_a_public_one() -> None:
    words = [f"{first}{second}{third}" for first, second, third in product("ABCDEFGHIJKLMNOPQRSTUVWXYZ", repeat=3)]
    public = {"GET", "PUT", "AND", "NOT"}
    assert all((PSEUDONYMS.text(word) in public) == (word in public) for word in words)


def test_long_words_do_not_repeat_where_they_did_not() -> None:
    replaced = PSEUDONYMS.text("x" * 96)
    assert re.fullmatch("[a-z]{96}", replaced)
    assert len({replaced[:32], replaced[32:64], replaced[64:]}) == 3


def test_another_key_gives_other_texts() -> None:
    other = Pseudonyms(b"other key")
    for text in ("checkout", "5", "a1", "550e8400-e29b-41d4-a716-446655440000"):
        assert len({PSEUDONYMS.text(text), other.text(text), Pseudonyms(b"third").text(text)}) > 1


@MODEST
@given(st.lists(st.integers(-LARGEST, LARGEST), unique=True, max_size=30))
def test_integers_keep_sign_and_digits(values: list[int]) -> None:
    replaced = [PSEUDONYMS.integer(value) for value in values]
    for value, other in zip(values, replaced, strict=True):
        assert len(str(abs(other))) == len(str(abs(value)))
        assert abs(other) <= LARGEST
        assert value == 0 or (other < 0) == (value < 0) or abs(value) < 10
    assert len({(other, value < 0) for value, other in zip(values, replaced, strict=True)}) == len(values)


@MODEST
@given(st.floats(allow_subnormal=False))
def test_floats_keep_sign_and_length(value: float) -> None:
    replaced = PSEUDONYMS.floating(value)
    if not math.isfinite(value):
        assert repr(replaced) == repr(value)
        return
    assert math.copysign(1, replaced) == math.copysign(1, value)
    assert replaced != value
    if value.is_integer() and abs(value) <= EXACT:
        assert replaced.is_integer()
    assert abs(len(repr(replaced)) - len(repr(value))) <= 1


@MODEST
@given(st.lists(st.binary(min_size=1, max_size=80), unique=True, max_size=20))
def test_bytes_keep_their_length(values: list[bytes]) -> None:
    replaced = [PSEUDONYMS.data(value) for value in values]
    assert list(map(len, replaced)) == list(map(len, values))
    assert len(set(replaced)) == len(values)
    assert all(value != other for value, other in zip(values, replaced, strict=True))


@MODEST
@given(st.text("0123456789", min_size=4, max_size=6))
def test_the_order_is_secret(digits: str) -> None:
    """Neither the next number nor the same distance for all: what the key decides."""
    classes_of = "0" * len(digits)
    distances = {
        (int(Permutation(key).replaced(digits, classes_of)) - int(digits)) % 10 ** len(digits)
        for key in (b"1", b"2", b"3", b"4")
    }
    assert len(distances) > 1
