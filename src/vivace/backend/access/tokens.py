"""Bearer tokens: a file of those that are good, and whether a caller has shown one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Final

from vivace.backend.followed import Followed
from vivace.errors import ConfigurationError

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")
_SCHEME: Final = "bearer"


class Tokens:
    """The good tokens, as a file has them, which may change meanwhile. Safe for use by several threads."""

    def __init__(self, path: Path, report: Callable[[str], None] = lambda _: None) -> None:
        """ConfigurationError with every problem of the file; one that goes bad later is reported, and not followed."""
        self._digests = Followed((path,), lambda: read_tokens(path), "the tokens stay as they were", report)

    def look(self) -> None:
        """Reads the file again if it has changed."""
        self._digests.look()

    def allows(self, authorization: str | None) -> bool:
        """Whether the value of an Authorization header shows a good token. How long it takes says nothing of them."""
        scheme, _, token = (authorization or "").partition(" ")
        shown = sha256(token.strip().encode()).digest()
        matches = [compare_digest(shown, digest) for digest in self._digests.value]
        return any(matches) and scheme.lower() == _SCHEME


def read_tokens(path: Path) -> tuple[bytes, ...]:
    """SHA-256 digests of the tokens of a file: one on each line, # begins a comment."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"--tokens {path}: cannot be read ({reason}); give a text file of tokens") from error
    tokens = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
    tokens = [(number, token) for number, token in tokens if token]
    problems = list(_problems(path, tokens))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return tuple(sha256(token.encode()).digest() for _, token in tokens)


def _problems(path: Path, tokens: list[tuple[int, str]]) -> Iterator[str]:
    """No problem is told with what it is about: that is a secret."""
    if not tokens:
        yield f"--tokens {path}: has no token, so nobody could call; write one on each line"
    for number, token in tokens:
        if not _TOKEN.fullmatch(token):
            yield f"--tokens {path}:{number}: is no bearer token; use letters, digits and -._~+/= alone, one on a line"
