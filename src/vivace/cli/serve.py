"""`vivace serve`: the embedded backend, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

T = TypeVar("T")

DATA = "Data"
TENANTS = "Tenants"
ACCESS = "Access"

WINDOW = "1h"
CACHE = "10GiB"
FOLDER = "vivace-data"


class WalSync(StrEnum):
    """When what was acknowledged is synced."""

    ALWAYS = "always"
    INTERVAL = "interval"
    OFF = "off"


SYNC = WalSync.ALWAYS.value


def serve(
    http: Annotated[
        str, typer.Option(help="Address of the query API, gRPC too; port 0 takes a free one.")
    ] = "127.0.0.1:3200",
    grpc: Annotated[str, typer.Option(help="Address of the streaming query API over gRPC alone.")] = "127.0.0.1:9095",
    otlp_grpc: Annotated[str, typer.Option(help="Address that takes OTLP over gRPC.")] = "127.0.0.1:4317",
    otlp_http: Annotated[str, typer.Option(help="Address that takes OTLP over HTTP.")] = "127.0.0.1:4318",
    data_dir: Annotated[
        str,
        typer.Option(metavar="<path>", help="Folder of the log, segments and blocks.", rich_help_panel=DATA),
    ] = FOLDER,
    wal_sync: Annotated[
        str,
        typer.Option(
            metavar=f"[{'|'.join(WalSync)}]",
            help="Sync before acknowledging, a moment after, or never.",
            rich_help_panel=DATA,
        ),
    ] = SYNC,
    compaction_window: Annotated[
        str, typer.Option(help="Blocks of the same window of time are made one.", rich_help_panel=DATA)
    ] = WINDOW,
    storage: Annotated[
        str | None,
        typer.Option(metavar="s3://BUCKET/PREFIX", help="Keep blocks in an object store.", rich_help_panel=DATA),
    ] = None,
    storage_cache: Annotated[
        str | None,
        typer.Option(
            help="So much of the object store is kept in the data folder.", show_default=CACHE, rich_help_panel=DATA
        ),
    ] = None,
    storage_sse: Annotated[
        str | None,
        typer.Option(metavar="SSE-S3|SSE-KMS", help="Encryption to ask the object store for.", rich_help_panel=DATA),
    ] = None,
    storage_kms_key_id: Annotated[
        str | None, typer.Option(help="Key for SSE-KMS: its ID or ARN.", rich_help_panel=DATA)
    ] = None,
    storage_adopt: Annotated[
        bool,
        typer.Option("--storage-adopt", help="Take over what another data folder put there.", rich_help_panel=DATA),
    ] = False,
    multitenancy: Annotated[
        bool, typer.Option("--multitenancy", help="X-Scope-OrgID says whose data it is.", rich_help_panel=TENANTS)
    ] = False,
    limits: Annotated[
        Path | None, typer.Option(help="YAML file of limits and retention per tenant.", rich_help_panel=TENANTS)
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate (PEM); all listeners speak TLS then.", rich_help_panel=ACCESS)
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Key of the certificate (PEM).", rich_help_panel=ACCESS)] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(help="Callers must show a certificate by this authority.", rich_help_panel=ACCESS)
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(help="File of bearer tokens, one per line; callers must give one.", rich_help_panel=ACCESS),
    ] = None,
) -> None:
    """Runs a Tempo-compatible tracing backend: OTLP in, TraceQL out; everything acknowledged is on disk."""
    from vivace.backend.serve.check import check
    from vivace.backend.serve.supervisor import ServeSettings, serve_until_stopped
    from vivace.units import parse_duration, parse_size

    problems: list[str] = []
    sync = _read(_wal_sync, "--wal-sync", wal_sync, SYNC, problems)
    window_s = _read(parse_duration, "--compaction-window", compaction_window, WINDOW, problems)
    cache_bytes = (
        None if storage_cache is None else _read(parse_size, "--storage-cache", storage_cache, CACHE, problems)
    )
    folder = _read(_folder, "--data-dir", data_dir, FOLDER, problems)
    settings = ServeSettings(
        data_dir=folder,
        http=http,
        otlp_grpc=otlp_grpc,
        otlp_http=otlp_http,
        grpc=grpc,
        wal_sync=sync.value,
        multitenancy=multitenancy,
        limits=limits,
        storage=storage,
        storage_sse=storage_sse,
        storage_kms_key_id=storage_kms_key_id,
        storage_adopt=storage_adopt,
        storage_cache_bytes=cache_bytes,
        compaction_window_s=window_s,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        tokens=tokens,
    )
    if problems:
        check(settings, problems)
    raise typer.Exit(serve_until_stopped(settings, say=typer.echo))


def _read(parse: Callable[[str], T], flag: str, text: str, usual: str, problems: list[str]) -> T:
    """What a flag says; of one that says nothing sensible there is a problem more, and what it usually says."""
    try:
        return parse(text)
    except ValueError as error:
        problems.append(f"{flag}: {error}; leave it out for {usual}")
        return parse(usual)


def _folder(text: str) -> Path:
    if not text.strip():
        raise ValueError("names no folder")
    return Path(text)


def _wal_sync(text: str) -> WalSync:
    if text not in set(WalSync):
        raise ValueError(f'"{text}" is not one of {", ".join(WalSync)}')
    return WalSync(text)
