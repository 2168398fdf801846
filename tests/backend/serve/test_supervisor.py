from __future__ import annotations

import resource
import signal
import socket
import time
import urllib.request
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path

import grpc
import psutil
import pytest
import yaml
from tests.backend.serve.server import Load, Server, sent_span_ids, stored_span_ids

from vivace.backend.query.tempopb import MESSAGES
from vivace.backend.serve.settings import ServeSettings, read_addresses
from vivace.backend.serve.supervisor import Backend
from vivace.errors import TargetError

FREE = "127.0.0.1:0"


def settings(
    root: Path, http: str = FREE, otlp_grpc: str = FREE, otlp_http: str = FREE, grpc: str = FREE
) -> ServeSettings:
    return ServeSettings(root, http, otlp_grpc, otlp_http, grpc)


def streamed(address: str) -> list[bytes]:
    """The answers of a streamed search for everything."""
    with grpc.insecure_channel(address) as channel:
        search: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream("/tempopb.StreamingQuerier/Search")
        return list(search(MESSAGES["SearchRequest"](Query="{ }").SerializeToString(), timeout=20))


def test_a_backend_starts_serves_and_stops(tmp_path: Path) -> None:
    backend = Backend(settings(tmp_path / "data"))
    backend.start()
    try:
        assert set(backend.processes()) == {"receiver", "compactor", "indexer", "querier"}
        assert all(psutil.pid_exists(pid) for pid in backend.processes().values())
        assert read_addresses(tmp_path / "data" / "addresses.json") == backend.addresses
        with closing(urllib.request.urlopen(f"http://{backend.addresses.http}/ready", timeout=10)) as answer:
            assert answer.status == 200
        for address in (backend.addresses.http, backend.addresses.grpc):
            assert streamed(address) == [MESSAGES["SearchResponse"](metrics={}).SerializeToString()]
        load = Load(backend.addresses.otlp_grpc, first_seed=0)
        time.sleep(0.5)
        load.stop()
        assert load.acknowledged
        assert load.unknown == []
        wait_for_metrics(backend, sum(sent_span_ids(load.acknowledged).values()))
    finally:
        backend.stop()
    assert backend.failure() is None
    assert stored_span_ids(tmp_path / "data") == sent_span_ids(load.acknowledged)
    assert not any(psutil.pid_exists(pid) for pid in backend.processes().values())


def test_every_process_may_open_as_many_files_as_the_system_allows(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    backend = Backend(settings(tmp_path))
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    try:
        backend.start()
        limits = {role: psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE) for role, pid in backend.processes().items()}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        backend.stop()
    assert limits == dict.fromkeys(("receiver", "compactor", "indexer", "querier"), (hard, hard))


def test_whoever_takes_in_spans_or_answers_goes_before_the_compactor(tmp_path: Path) -> None:
    backend = Backend(settings(tmp_path))
    backend.start()
    try:
        nice = {role: psutil.Process(pid).nice() for role, pid in backend.processes().items()}
    finally:
        backend.stop()
    own = psutil.Process().nice()
    lowest = 19
    assert nice == dict.fromkeys(("receiver", "indexer", "querier"), own) | {"compactor": min(own + 10, lowest)}


def test_metrics_have_no_series_of_when_each_began(tmp_path: Path) -> None:
    backend = Backend(settings(tmp_path))
    backend.start()
    try:
        deadline, names = time.monotonic() + 20, set[str]()
        while not {"tempo_distributor_push_duration_seconds_count", "vivace_spans_indexed_total"} <= names:
            assert time.monotonic() < deadline, names
            names = {line.partition("{")[0].partition(" ")[0] for line in metrics(backend)}
    finally:
        backend.stop()
    assert not {name for name in names if name.endswith("_created")}


def test_the_status_names_every_process_and_the_real_addresses(tmp_path: Path) -> None:
    backend = Backend(settings(tmp_path))
    backend.start()
    try:
        deadline, expected = time.monotonic() + 20, dict.fromkeys(backend.processes(), "Running")
        while (states := yaml.safe_load(fetched(backend, "/status/services"))) != expected:
            assert time.monotonic() < deadline, states
            time.sleep(0.1)
        shown = yaml.safe_load(fetched(backend, "/status/config"))
    finally:
        backend.stop()
    assert {name: shown[name] for name in asdict(backend.addresses)} == asdict(backend.addresses)


def wait_for_metrics(backend: Backend, spans: int) -> None:
    """Until the metrics of all processes agree with what was sent."""
    deadline = time.monotonic() + 20
    expected = {
        f'tempo_distributor_spans_received_total{{tenant="single-tenant"}} {spans:.1f}',
        f'tempo_receiver_accepted_spans{{receiver="otlp/grpc",transport="grpc"}} {spans:.1f}',
        f"vivace_spans_indexed_total {spans:.1f}",
    }
    while not expected <= set(metrics(backend)):
        assert time.monotonic() < deadline, metrics(backend)
        time.sleep(0.1)


def metrics(backend: Backend) -> list[str]:
    return fetched(backend, "/metrics").splitlines()


def fetched(backend: Backend, path: str) -> str:
    with closing(urllib.request.urlopen(f"http://{backend.addresses.http}{path}", timeout=10)) as answer:
        text: str = answer.read().decode()
        return text


def test_a_backend_that_lost_a_process_says_so(tmp_path: Path) -> None:
    backend = Backend(settings(tmp_path))
    backend.start()
    try:
        psutil.Process(backend.processes()["indexer"]).kill()
        deadline = time.monotonic() + 20
        while backend.failure() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert "the indexer (process" in (backend.failure() or "")
    finally:
        backend.stop()


@pytest.mark.parametrize("flag", ["http", "grpc", "otlp_grpc", "otlp_http"])
def test_a_port_in_use_is_named(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        backend = Backend(settings(tmp_path, **{flag: address}))
        with pytest.raises(TargetError) as error:
            backend.start()
    reason = "cannot listen there (Address already in use); choose another address, or end what uses it"
    assert str(error.value) == f"--{flag.replace('_', '-')} {address}: {reason}"
    assert all(not psutil.pid_exists(pid) for pid in backend.processes().values())


def test_all_ports_in_use_are_named_at_once(tmp_path: Path) -> None:
    flags = ("http", "otlp_grpc", "otlp_http", "grpc")
    with ExitStack() as held:
        taken = {flag: held.enter_context(socket.create_server(("127.0.0.1", 0))) for flag in flags}
        addresses = {flag: f"127.0.0.1:{one.getsockname()[1]}" for flag, one in taken.items()}
        with pytest.raises(TargetError) as error:
            Backend(settings(tmp_path, **addresses)).start()
    said = {line.partition(": ")[0] for line in str(error.value).splitlines()}
    assert said == {f"--{flag.replace('_', '-')} {address}" for flag, address in addresses.items()}
    assert len(str(error.value).splitlines()) == len(flags)


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    first = Backend(settings(tmp_path))
    first.start()
    try:
        with pytest.raises(TargetError, match="another server uses this folder"):
            Backend(settings(tmp_path)).start()
        assert read_addresses(tmp_path / "addresses.json") == first.addresses
    finally:
        first.stop()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="file/data") as error:
        Backend(settings(tmp_path / "file" / "data")).start()
    assert "choose a folder" in str(error.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_stops_cleanly_when_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    with closing(Server(tmp_path)) as server:
        load = Load(server.addresses.otlp_grpc, first_seed=0)
        time.sleep(0.5)
        assert server.stop(number) == 0
        load.stop()
        output = server.output()
    assert f"OTLP over gRPC on {server.addresses.otlp_grpc}" in output
    assert "Traceback" not in output
    stored = stored_span_ids(tmp_path)
    assert sent_span_ids(load.acknowledged) <= stored
    assert stored <= sent_span_ids(load.acknowledged + load.unknown)
