"""Before anything is sent: can every endpoint be reached, is it trusted, does it take requests of ours?"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import Final

from vivace.errors import TargetError
from vivace.send.answer import Answer, Outcome
from vivace.send.export import open_exporter
from vivace.send.exporter import Exporter
from vivace.send.request import InFlight
from vivace.send.transport import Transport
from vivace.telemetry.template import Signal

STEP: Final = 0.05
REMEDY: Final = "; "
"""What comes after it in a line is what to do."""
NOTHING: Final = b""
"""An export request without telemetry, which every OTLP receiver takes."""
REMEDIES: Final = {
    "UNAUTHENTICATED": "give a valid token or header",
    "HTTP 401": "give a valid token or header",
    "PERMISSION_DENIED": "give a token or header that may write",
    "HTTP 403": "give a token or header that may write",
    "UNIMPLEMENTED": "give an endpoint that takes this signal and compression",
    "HTTP 404": "give the endpoint's prefix, or one that takes this signal",
    "HTTP 405": "give the endpoint's prefix, or one that takes this signal",
    "HTTP 415": "choose another protocol or compression",
    "DEADLINE_EXCEEDED": "give an endpoint that answers",
    "UNAVAILABLE": "",
}
"""By status; others may pass, so they are left to the run."""


def check_connection(transport: Transport, signal: Signal, seconds: float = 5.0) -> None:
    """Connects to every endpoint and sends each an empty request; TargetError, a line for each that is of no use."""
    exporter = open_exporter(replace(transport, timeout_s=min(transport.timeout_s, seconds)), signal)
    try:
        troubles = _reach(exporter, seconds)
        if not troubles:
            answers = _ask(exporter, transport.endpoints, seconds)
            troubles = {endpoint: _trouble(answer) for endpoint, answer in answers.items() if answer.status in REMEDIES}
    finally:
        exporter.close()
    if troubles:
        raise TargetError(
            "\n".join(f"{endpoint}: {_with_remedy(why, transport)}" for endpoint, why in troubles.items())
        )


def _reach(exporter: Exporter, seconds: float) -> dict[str, str]:
    """Endpoints without a connection, and why; gives up early when trying again would not help."""
    give_up = monotonic() + seconds
    while not exporter.connect(STEP) and monotonic() < give_up:
        if all(REMEDY in why for why in exporter.troubles().values()):
            break
    return exporter.troubles()


def _ask(exporter: Exporter, endpoints: tuple[str, ...], seconds: float) -> dict[str, Answer]:
    """Requests go to the endpoints in turn, so one for each of them reaches all."""
    for number in range(len(endpoints)):
        exporter.export(NOTHING, InFlight(number=number, due_ns=0, started_ns=0, t0_ns=0, place=0))
    answers: dict[str, Answer] = {}
    give_up = monotonic() + 2 * seconds
    while len(answers) < len(endpoints) and monotonic() < give_up:
        answers |= {endpoints[ended.request.number]: ended.answer for ended in exporter.wait(0.1)}
    return answers


def _trouble(answer: Answer) -> str:
    said = answer.status if answer.outcome is not Outcome.UNKNOWN or answer.message is None else ""
    words = ": ".join(part for part in (said, answer.message) if part)
    remedy = REMEDIES[answer.status]
    return f"{words}{REMEDY}{remedy}" if remedy else words


def _with_remedy(why: str, transport: Transport) -> str:
    if REMEDY in why:
        return why
    if "connection lost" in why and transport.tls is None:
        return f"{why}{REMEDY}see what its log says, and whether it wants TLS: then leave out insecure: true"
    return f"{why}{REMEDY}see that the target runs there, or give another endpoint"
