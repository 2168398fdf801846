"""What runs in each process of the backend: `python -m vivace.backend.serve.child ROLE SETTINGS`.

It says on standard output, in one line of JSON, that it is ready and where it listens, or why it cannot start. Its
standard input is a lifeline: at its end, which comes with the supervisor's own end, the process stops as on SIGTERM.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Final

from vivace.backend.compact import NICENESS
from vivace.backend.serve.lock import Lock
from vivace.backend.serve.settings import ServeSettings
from vivace.backend.store.folder import DataFolder
from vivace.errors import VivaceError

PATIENCE_SECONDS: Final = 30.0
"""So long a predecessor whose supervisor was killed may take to stop."""

Announce = Callable[..., None]


def main(role: str, settings: ServeSettings) -> int:
    """Runs one process; returns its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it would print is said once, in one line, by us
    os.environ.setdefault("PROMETHEUS_DISABLE_CREATED_SERIES", "true")  # they would double the series of /metrics
    _raise_the_limit_on_files()
    Thread(target=_follow_the_lifeline, name="lifeline", daemon=True).start()
    folder = DataFolder(settings.data_dir)
    try:
        with Lock(folder.process_lock(role), PATIENCE_SECONDS):
            ROLES[role](settings, _announce)
    except VivaceError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}), flush=True)  # noqa: T201
        return error.exit_code
    return 0


def _raise_the_limit_on_files() -> None:
    """As many as the system lets us have: every connection takes one, and every block that is read several."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _follow_the_lifeline() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _announce(**addresses: str) -> None:
    print(json.dumps({"ready": addresses}), flush=True)  # noqa: T201 - the supervisor reads it


def _report(line: str) -> None:
    print(f"vivace: {line}", file=sys.stderr, flush=True)  # noqa: T201 - the operator reads it


def _receiver(settings: ServeSettings, announce: Announce) -> None:
    from vivace.backend.receive.server import ReceiverSettings, run  # noqa: PLC0415 - each role imports what it needs

    receiver = ReceiverSettings(
        data_dir=settings.data_dir,
        otlp_grpc=settings.otlp_grpc,
        otlp_http=settings.otlp_http,
        ahead_bytes=settings.log_bytes,
        wal_sync=settings.wal_sync,
        multitenancy=settings.multitenancy,
        limits=settings.limits,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        tls_client_ca=settings.tls_client_ca,
        tokens=settings.tokens,
    )
    run(receiver, lambda grpc, http: announce(otlp_grpc=grpc, otlp_http=http), _report)


def _indexer(settings: ServeSettings, announce: Announce) -> None:
    from vivace.backend.store.indexing import run  # noqa: PLC0415

    run(settings.data_dir, announce, _report, settings.blocks)


def _compactor(settings: ServeSettings, announce: Announce) -> None:
    os.nice(NICENESS)
    announce()  # nobody waits for it
    from vivace.backend.compact.plan import CompactionSettings  # noqa: PLC0415
    from vivace.backend.compact.process import run  # noqa: PLC0415
    from vivace.backend.followed import follow  # noqa: PLC0415
    from vivace.backend.tenant.overrides import Overrides  # noqa: PLC0415

    compaction = CompactionSettings(window_s=settings.compaction_window_s)
    limits = Overrides(settings.limits)
    follow(limits.looks)  # the receiver reports what is wrong with the file
    run(settings.data_dir, limits, lambda: None, _report, settings=compaction, storage=settings.blocks)


def _querier(settings: ServeSettings, announce: Announce) -> None:
    from vivace.backend.query.server import QuerierSettings, run  # noqa: PLC0415

    querier = QuerierSettings(
        data_dir=settings.data_dir,
        http=settings.http,
        grpc=settings.grpc,
        multitenancy=settings.multitenancy,
        limits=settings.limits,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        tls_client_ca=settings.tls_client_ca,
        tokens=settings.tokens,
        storage=settings.blocks,
        told=json.loads(settings.encode()),
    )
    run(querier, lambda http, grpc: announce(http=http, grpc=grpc), _report)


ROLES: Final[Mapping[str, Callable[[ServeSettings, Announce], None]]] = {
    "receiver": _receiver,
    "indexer": _indexer,
    "compactor": _compactor,
    "querier": _querier,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], ServeSettings.decode(sys.argv[2])))
