"""`vivace serve`: the embedded backend, until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    data_dir: Annotated[Path, typer.Option(help="Folder of the log, segments and blocks.")] = Path("vivace-data"),
    http: Annotated[str, typer.Option(help="Address of the query API; port 0 takes a free one.")] = "127.0.0.1:3200",
    grpc: Annotated[str, typer.Option(help="Address of the streaming query API over gRPC.")] = "127.0.0.1:9095",
    otlp_grpc: Annotated[str, typer.Option(help="Address that takes OTLP over gRPC.")] = "127.0.0.1:4317",
    otlp_http: Annotated[str, typer.Option(help="Address that takes OTLP over HTTP.")] = "127.0.0.1:4318",
) -> None:
    """Runs a Tempo-compatible tracing backend: OTLP in, TraceQL out; everything acknowledged is on disk."""
    from vivace.backend.serve.supervisor import ServeSettings, serve_until_stopped

    settings = ServeSettings(data_dir=data_dir, http=http, otlp_grpc=otlp_grpc, otlp_http=otlp_http, grpc=grpc)
    raise typer.Exit(serve_until_stopped(settings, say=typer.echo))
