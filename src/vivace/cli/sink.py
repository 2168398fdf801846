"""`vivace sink`: a null receiver that counts what arrives, and fails as it is told."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vivace.errors import ConfigurationError


class Count(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    ITEMS = "items"
    TRACES = "traces"


def sink(
    grpc: Annotated[str, typer.Option(help="Address for OTLP; every protocol is understood; port 0: a free one.")] = (
        "127.0.0.1:4317"
    ),
    http: Annotated[str, typer.Option(help="A second address for OTLP; empty: none.")] = "127.0.0.1:4318",
    count: Annotated[
        Count, typer.Option(help="Requests and bytes; spans, points and records, too; distinct traces, too.")
    ] = Count.TRACES,
    most_traces: Annotated[int, typer.Option(help="Count distinct traces exactly up to so many.")] = 1_000_000,
    processes: Annotated[int, typer.Option(help="Processes that share the addresses.")] = 1,
    tls_cert: Annotated[Path | None, typer.Option(help="Take TLS only, with this certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="Clients need a certificate of this authority.")] = None,
    refuse: Annotated[float, typer.Option(help="Share of requests, 0 to 1, that are refused.")] = 0.0,
    refuse_status: Annotated[str, typer.Option(help="With this status of gRPC or HTTP.")] = "UNAVAILABLE",
    throttle: Annotated[float, typer.Option(help="Share answered 429 / RESOURCE_EXHAUSTED, to be retried.")] = 0.0,
    retry_after: Annotated[float, typer.Option(help="After so many seconds.")] = 1.0,
    partial: Annotated[float, typer.Option(help="Share taken but for some items.")] = 0.0,
    partial_items: Annotated[int, typer.Option(help="So many items.")] = 1,
    drop: Annotated[float, typer.Option(help="Share whose connection is broken off.")] = 0.0,
    hang: Annotated[float, typer.Option(help="Share that is never answered.")] = 0.0,
    delay: Annotated[float, typer.Option(help="Share that is answered late.")] = 0.0,
    delay_seconds: Annotated[float, typer.Option(help="By so many seconds.")] = 0.1,
    seed: Annotated[int, typer.Option(help="The same seed, the same faults in the same order.")] = 0,
) -> None:
    """Takes OTLP, counts it and forgets it: what a sender can reach at best, until Ctrl-C."""
    from vivace.send.sink import Counting, Faults, ServerTls, SinkSettings, watch

    faults = Faults(
        refuse=refuse,
        refuse_status=refuse_status,
        throttle=throttle,
        retry_after_s=retry_after,
        partial=partial,
        partial_items=partial_items,
        drop=drop,
        hang=hang,
        delay=delay,
        delay_s=delay_seconds,
        seed=seed,
    )
    if (tls_cert is None) != (tls_key is None) or (tls_client_ca is not None and tls_cert is None):
        raise ConfigurationError("--tls-cert, --tls-key: a certificate and its key belong together; give both")
    tls = None
    if tls_cert is not None and tls_key is not None:
        tls = ServerTls(cert_file=tls_cert, key_file=tls_key, client_ca_file=tls_client_ca)
    settings = SinkSettings(
        address=grpc,
        other_address=http or None,
        counting=Counting[count.name],
        most_traces=most_traces,
        processes=processes,
        tls=tls,
        faults=faults,
    )
    watch(settings, say=typer.echo)
