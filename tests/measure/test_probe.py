"""The life of a probing process: started, fed, watched, stopped, killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
from tests.measure.backend import EMPTY, SEED, acknowledged, response, stored
from tests.measure.servers import serving

from vivace.errors import ConfigurationError, OutputError, TemplateError
from vivace.ledger import PROBES, read_ledger
from vivace.measure.probe import Probes, ProbeSettings


@contextmanager
def probing(template: Path, url: str, folder: Path) -> Iterator[Probes]:
    """Started probes that are ended even when the test fails."""
    ledger = folder / "small-probes.parquet"
    probes = Probes(ProbeSettings(query_url=url, template=template, seed=SEED, ledger=ledger, per_second=50.0))
    probes.start()
    try:
        yield probes
    finally:
        probes.stop(0.0)
        probes.join()


def until(probes: Probes, enough: Callable[[], bool]) -> None:
    give_up = monotonic() + 30
    while not enough():
        assert monotonic() < give_up
        assert not probes.progress().done, probes.failures()
        sleep(0.01)


def test_traces_are_drawn_while_they_are_fed_and_end_in_the_ledger(template: Path, tmp_path: Path) -> None:
    traces = stored(template)
    with (
        serving(lambda path: response(traces[path.rpartition("/")[2]])) as url,
        probing(template, url, tmp_path) as probes,
    ):

        def fed() -> bool:
            probes.feed(acknowledged(template, 0, 1, 2))
            return probes.progress().drawn >= 3

        until(probes, fed)
        probes.stop()
        ledger = read_ledger(probes.join(), PROBES)
        progress = probes.progress()
    assert ledger.height == progress.drawn == progress.found
    assert set(ledger["outcome"]) == {"found"}
    assert set(ledger["trace_id"]) <= traces.keys()
    assert (progress.missing, progress.wrong, progress.unchecked, progress.outstanding) == (0, 0, 0, 0)
    assert progress.visible_p50_ms is not None
    assert progress.done
    assert probes.failures() == []
    assert probes.join() == tmp_path / "small-probes.parquet"
    assert [path.name for path in tmp_path.iterdir()] == ["small-probes.parquet"]


def test_a_killed_process_is_told_of(template: Path, tmp_path: Path) -> None:
    with serving(lambda _: EMPTY) as url, probing(template, url, tmp_path) as probes:
        probes.feed([])
        assert probes.progress().visible_p50_ms is None
        os.kill(probes.pids()[0], signal.SIGKILL)
        assert read_ledger(probes.join(), PROBES).is_empty()
        assert probes.failures() == ["the probing process ended with signal 9"]
        probes.feed(acknowledged(template, 0))


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TemplateError):
        Probes(ProbeSettings(query_url="http://x", template=tmp_path / "no.pb", seed=1, ledger=tmp_path / "l.parquet"))


def test_a_ledger_that_cannot_be_written(template: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ledger = tmp_path / "file" / "probes.parquet"
    probes = Probes(ProbeSettings(query_url="http://x", template=template, seed=1, ledger=ledger))
    with pytest.raises(OutputError, match=r"file: cannot be written: .*; choose another folder"):
        probes.start()


def test_headers_name_the_tenant() -> None:
    settings = ProbeSettings(
        query_url="http://x", template=Path(), seed=1, ledger=Path(), tenant="team-a", headers={"x-token": "t"}
    )
    assert settings.all_headers() == {"x-token": "t", "X-Scope-OrgID": "team-a"}


def test_settings_say_all_that_is_wrong() -> None:
    with pytest.raises(ConfigurationError) as raised:
        ProbeSettings(query_url="127.0.0.1:3200", template=Path(), seed=1, ledger=Path(), per_second=0, patience_s=-1)
    assert str(raised.value).splitlines() == [
        "query URL: '127.0.0.1:3200' is no address; give one such as http://127.0.0.1:3200",
        "probes' rate: 0 is not above zero; give a number above it",
        "probes' patience: -1 is not above zero; give a number above it",
    ]
