"""How a validator says no: what is wrong and what to do about it; the wording that all complaints share."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from pydantic_core import PydanticCustomError

LONGEST_SHOWN: Final = 60


def refusal(message: str, remedy: str, related: Sequence[str] = ()) -> PydanticCustomError:
    """What a field's validator raises; `related` are fields beside it that have a part in the contradiction."""
    return PydanticCustomError("refusal", "{message}", {"message": message, "remedy": remedy, "related": list(related)})


def shown(value: object) -> str:
    """A value as a message shows it, shortened when it is long."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def near(word: str, known: Sequence[str]) -> str:
    """The remedy for a name that is not known: the nearest that is, or all of them."""
    return nearest(word, known) or (f"known are {', '.join(known)}" if known else "remove it")


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The question whether the nearest known name was meant, None when no name is near."""
    lowered = {name.lower(): name for name in known}
    matches = get_close_matches(word.lower(), lowered, n=1)
    return f'did you mean "{lowered[matches[0]]}"?' if matches else None
