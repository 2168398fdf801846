"""`vivace sink`: a null receiver that counts what arrives."""

from __future__ import annotations

from typing import Annotated

import typer


def sink(
    grpc: Annotated[str, typer.Option(help="Address that takes OTLP over gRPC; port 0 takes a free one.")] = (
        "127.0.0.1:4317"
    ),
    count_spans: Annotated[bool, typer.Option(help="Count spans too, which costs some speed.")] = False,
) -> None:
    """Takes OTLP, counts it and forgets it: what a sender can reach at best, until Ctrl-C."""
    from vivace.send.sink import SinkSettings, watch

    watch(SinkSettings(address=grpc, count_spans=count_spans), say=typer.echo)
