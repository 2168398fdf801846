"""Environment variables inside configurations: `${NAME}`, or `${NAME:-value}` with a value to use without it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from vivace.profile.document import Expand

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def from_environment(environment: Mapping[str, str]) -> Expand:
    """What load_document() expands texts with; a name that is neither set nor given a value is refused."""

    def value(reference: re.Match[str]) -> str:
        name, default = reference.groups()
        found = environment.get(name) or default
        if found is None:
            raise ValueError(f"names the environment variable {name}, which is not set")
        return found

    return lambda text: _REFERENCE.sub(value, text)
