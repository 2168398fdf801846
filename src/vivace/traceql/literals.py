"""Values of tokens: the text of a number, duration, string or name to what it stands for, by the rules of Go."""

from __future__ import annotations

import math
import re
from typing import Final

from vivace.traceql.tree import Attribute, Intrinsic, IntrinsicField, Scope, Static, StaticType

MAX_INT: Final = 2**63 - 1
MIN_INT: Final = -(2**63)

ENUMS: Final = (
    {"true": Static(StaticType.BOOL, True), "false": Static(StaticType.BOOL, False)}
    | {status: Static(StaticType.STATUS, status) for status in ("error", "ok", "unset")}
    | {
        kind: Static(StaticType.KIND, kind)
        for kind in ("unspecified", "internal", "server", "client", "producer", "consumer")
    }
)
UNSCOPED: Final = {
    "duration": Intrinsic.SPAN_DURATION,
    "name": Intrinsic.SPAN_NAME,
    "kind": Intrinsic.SPAN_KIND,
    "status": Intrinsic.SPAN_STATUS,
    "statusMessage": Intrinsic.SPAN_STATUS_MESSAGE,
    "rootName": Intrinsic.TRACE_ROOT_NAME,
    "rootServiceName": Intrinsic.TRACE_ROOT_SERVICE,
    "traceDuration": Intrinsic.TRACE_DURATION,
}
"""Intrinsics whose short spelling is not their name."""

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
    "y": 31_536_000_000_000_000,
}
_PARTS: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|[smhdwy])")
_CALENDAR: Final = re.compile(r"(?:[0-9]+y)?(?:[0-9]+w)?(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?")
_CLOCK: Final = re.compile(r"(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|[smh]))+")
_MAX_DIGITS: Final = 400
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)")
_SIMPLE: Final = {
    "a": b"\a",
    "b": b"\b",
    "f": b"\f",
    "n": b"\n",
    "r": b"\r",
    "t": b"\t",
    "v": b"\v",
    "\\": b"\\",
    '"': b'"',
}
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def integer(text: str) -> int:
    """A decimal integer of 64 bits, `minInt` or `maxInt`; ValueError when it is larger."""
    if text in {"minInt", "maxInt"}:
        return MIN_INT if text == "minInt" else MAX_INT
    if len(text) > _MAX_DIGITS or (value := int(text)) > MAX_INT:
        raise ValueError("integer out of range")
    return value


def floating(text: str) -> float:
    """A finite float; ValueError when it is larger than one."""
    value = float(text)
    if math.isinf(value):
        raise ValueError("float out of range")
    return value


def duration(text: str) -> int:
    """Nanoseconds of `1h30m`, `1d`, `1.5s`, …; days, weeks and years take whole numbers, from the largest unit down."""
    if len(text) > _MAX_DIGITS or not (_CALENDAR.fullmatch(text) or _CLOCK.fullmatch(text)):
        raise ValueError("not a duration")
    total = 0
    for whole, fraction, unit in _PARTS.findall(text):
        total += int(whole or "0") * _UNITS[unit]
        if fraction:
            total += int(fraction) * _UNITS[unit] // 10 ** len(fraction)
    if total > MAX_INT:
        raise ValueError("duration out of range")
    return total


def string(text: str) -> str:
    """A string without its quotes and escapes; ValueError for an escape that is none, or bytes that are not UTF-8."""
    if text[0] == "`":
        return text[1:-1].replace("\r", "")
    if "\\" not in text:
        return text[1:-1]
    parts, end = [], 1
    try:
        for escape in _ESCAPE.finditer(text, 1, len(text) - 1):
            parts += [text[end : escape.start()].encode(), _unescaped(escape[1])]
            end = escape.end()
        return b"".join([*parts, text[end:-1].encode()]).decode()
    except (ValueError, OverflowError):
        raise ValueError("invalid escape sequence, or not UTF-8") from None


def _unescaped(escape: str) -> bytes:
    if escape in _SIMPLE:
        return _SIMPLE[escape]
    if len(escape) > 1 and escape[0] in "xuU":
        value = int(escape[1:], 16)
        return bytes([value]) if escape[0] == "x" else chr(value).encode()
    return bytes([int(escape, 8)])


def attribute(text: str) -> Attribute:
    """A scoped or unscoped attribute; any part of its name may be quoted, with `\\"` and `\\\\` as the only escapes."""
    prefix, _, name = text.partition(".")
    scope, parent_scope = Scope(prefix), Scope.NONE
    if scope is Scope.PARENT and name.startswith(("span.", "resource.")):
        prefix, _, name = name.partition(".")
        parent_scope = Scope(prefix)
    if '"' in name:
        if '"' in _QUOTED.sub("", name):
            raise ValueError('literal not terminated: unexpected EOF, expecting "')
        name = _QUOTED.sub(_unquoted, name)
    if not name:
        raise ValueError("syntax error: unexpected END_ATTRIBUTE, expecting IDENTIFIER")
    return Attribute(scope, name, parent_scope)


def _unquoted(quoted: re.Match[str]) -> str:
    if "\\" in re.sub(r'\\[\\"]', "", quoted[1]):
        raise ValueError("invalid escape sequence")
    return re.sub(r"\\(.)", r"\1", quoted[1])


def intrinsic(text: str) -> IntrinsicField:
    """An intrinsic by any of its spellings; ValueError when the scope has none of that name."""
    try:
        return IntrinsicField(UNSCOPED.get(text) or Intrinsic(text), text)
    except ValueError:
        raise ValueError(f"unknown intrinsic: {text[:40]}") from None
