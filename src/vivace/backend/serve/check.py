"""Everything the backend was told, looked at before anything is started.

What was not told needs no look, and nothing is loaded for it: the processes wait for this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from vivace.backend.access.address import Address, address, hindrance, refused
from vivace.backend.serve.settings import ServeSettings
from vivace.errors import ConfigurationError, VivaceError
from vivace.units import format_duration


def check(settings: ServeSettings, known: Sequence[str] = ()) -> None:
    """ConfigurationError with a line for each thing that is wrong, after those that are known already."""
    parts: tuple[Callable[[], object], ...] = (
        lambda: _check_addresses(settings),
        lambda: settings.blocks,
        lambda: _check_access(settings),
        lambda: _check_limits(settings),
        lambda: _check_window(settings.compaction_window_s),
    )
    _refuse([*known, *(problem for part in parts if (problem := _problem(part)) is not None)])


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigurationError("\n".join(problems))


def _problem(part: Callable[[], object]) -> str | None:
    try:
        part()
    except VivaceError as error:
        return str(error)
    return None


def unusable_addresses(settings: ServeSettings) -> list[str]:
    """A line for each address that cannot be listened on now. To be asked while the backend does not run."""
    found = [(flag, text, hindrance(address(text, flag))) for flag, text in _addresses(settings).items()]
    return [str(refused(text, flag, reason)) for flag, text, reason in found if reason is not None]


def _addresses(settings: ServeSettings) -> dict[str, str]:
    return {
        "--http": settings.http,
        "--grpc": settings.grpc,
        "--otlp-grpc": settings.otlp_grpc,
        "--otlp-http": settings.otlp_http,
    }


def _check_addresses(settings: ServeSettings) -> None:
    problems, found = [], dict[str, Address]()
    for flag, text in _addresses(settings).items():
        try:
            found[flag] = address(text, flag)
        except ConfigurationError as error:
            problems.append(str(error))
    _refuse([*problems, *_meetings(found)])


def _meetings(found: dict[str, Address]) -> Iterator[str]:
    for (flag, one), (other_flag, other) in combinations(found.items(), 2):
        if one.meets(other):
            yield f"{flag} {one}, {other_flag} {other}: are the same address; give each a port of its own"


def _check_access(settings: ServeSettings) -> None:
    files = (settings.tls_cert, settings.tls_key, settings.tls_client_ca, settings.tokens)
    if any(file is not None for file in files):
        from vivace.backend.access.access import access  # noqa: PLC0415

        access(*files)


def _check_limits(settings: ServeSettings) -> None:
    if settings.limits is not None:
        from vivace.backend.tenant.overrides import Overrides  # noqa: PLC0415

        Overrides(settings.limits)


def _check_window(seconds: float) -> None:
    if not 60 <= seconds <= 30 * 86_400:
        raise ConfigurationError(
            f"--compaction-window: {format_duration(max(0.0, seconds))} is out of range; give 1m to 720h, such as 1h"
        )
