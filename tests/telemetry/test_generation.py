"""Whole generations: which files appear, what is said of them, and that nothing half done is ever left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from vivace.errors import ConfigurationError, OutputError, TemplateError
from vivace.telemetry.capture.settings import CaptureSettings
from vivace.telemetry.configuration import GeneratorConfiguration
from vivace.telemetry.generation import generate, import_capture
from vivace.telemetry.identity import group_words
from vivace.telemetry.patch import sent_request
from vivace.telemetry.places import build
from vivace.telemetry.stage import Files
from vivace.telemetry.stream import stream_templates
from vivace.telemetry.template import Signal, Template

ATTRIBUTES = {
    "span": {
        "fresh": {"fresh": 16},
        "user": {"cardinality": 10**6},
        "note": {"size": 30},
        "number": {"sequence": 1},
        "tier": {"choice": ["a", "b"]},
    },
    "resource": {"pod": {"fresh": 8}},
}
EVERYTHING = {
    "seed": 3,
    "traces": {
        "count": 60,
        "spans": {"avg_per_trace": 12, "std_dev": 4},
        "services": {"count": 4},
        "sampling": {"share": 0.5},
        "attributes": ATTRIBUTES,
        "traces_per_request": 10,
    },
    "metrics": {"metric_count": 30, "timeseries_per_metric": {"min": 5, "max": 20}},
    "logs": {"count": 500},
}
CAPTURES = Path(__file__).parents[1] / "testdata" / "captures"


def configuration(**changes: object) -> GeneratorConfiguration:
    return GeneratorConfiguration.model_validate_json(json.dumps(EVERYTHING | changes))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_signals_and_what_is_said_of_them(tmp_path: Path) -> None:
    described = generate(configuration(), Files(prefix=tmp_path / "new" / "t"))
    folder = tmp_path / "new"
    assert {path.name for path in folder.iterdir()} == {
        "t-metadata.yaml",
        *(f"t-{signal}.{kind}" for signal in Signal for kind in ("pb", "index")),
    }
    written = yaml.safe_load((folder / "t-metadata.yaml").read_text())
    assert written == described
    assert written["seed"] == 3
    for signal, items in (("traces", "spans"), ("metrics", "data_points"), ("logs", "records")):
        template, said = Template.open(folder / f"t-{signal}.pb"), written[signal]
        assert said["template"] == f"t-{signal}.pb"
        assert said[items] == template.requests.items.sum()
        assert said["bytes"] == template.payload.size
        assert said["requests"] == len(template)
        assert said["gzip_ratio"] > 1
        assert said[f"bytes_per_{items.removesuffix('s')}"] == round(said["bytes"] / said[items], 1)
    assert written["sender_memory_bytes"] == sum(written[str(signal)]["sender_memory_bytes"] for signal in Signal)
    assert written["traces"]["sampled"] == 0.5
    assert written["traces"]["services"] == ["service-1", "service-2", "service-3", "service-4"]
    assert written["logs"]["correlated_with"] == "t-traces.pb"


@pytest.mark.parametrize("compressed", [False, True])
def test_the_same_seed_makes_the_same_bytes(tmp_path: Path, compressed: bool) -> None:
    made = []
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        files = Files(prefix=tmp_path / name / "t", with_json=True, compressed=compressed)
        generate(configuration(seed=seed), files)
        made.append({name: data for name, data in contents(tmp_path / name).items() if ".index" not in name})
    assert made[0] == made[1]
    assert all(made[0][name] != made[2][name] for name in made[0])


def test_compressed_templates_and_json(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    generate(configuration(), Files(prefix=plain / "t"))
    described = generate(configuration(), Files(prefix=packed / "t", with_json=True, compressed=True))
    for signal in Signal:
        path = packed / f"t-{signal}.pb.zst"
        assert described[signal]["template"] == path.name
        assert described[signal]["compressed_bytes"] == path.stat().st_size < described[signal]["bytes"]
        before = contents(packed)
        template = Template.open(path)
        assert contents(packed) == before, "its index was written with it"
        assert np.array_equal(template.payload, Template.open(plain / f"t-{signal}.pb").payload)
        lines = (packed / f"t-{signal}.json").read_text().splitlines()
        assert len(lines) == len(template)
        assert all(json.loads(line) for line in lines)
        assert not (packed / f"t-{signal}.pb").exists()


def test_nothing_of_an_earlier_generation_is_left(tmp_path: Path) -> None:
    generate(configuration(), Files(prefix=tmp_path / "t", with_json=True, compressed=True))
    (tmp_path / "t-notes.txt").write_text("mine")
    generate(configuration(metrics=None, logs=None), Files(prefix=tmp_path / "t"))
    names = {path.name for path in tmp_path.iterdir()}
    assert {name for name in names if "traces" in name} == {"t-traces.pb", "t-traces.index"}
    assert {"t-notes.txt", "t-logs.pb.zst", "t-metadata.yaml"} <= names


@pytest.mark.parametrize("moment", ["traces", "metrics", "logs", "writing logs as JSON", "compressing metrics"])
def test_an_interruption_leaves_what_was_there(tmp_path: Path, moment: str) -> None:
    generate(configuration(seed=1), Files(prefix=tmp_path / "t"))
    before = contents(tmp_path)

    def interrupt(what: str, _done: int, _total: int) -> None:
        if what == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(configuration(), Files(prefix=tmp_path / "t", with_json=True, compressed=True, watch=interrupt))
    assert contents(tmp_path) == before


def test_traces_over_the_limit_are_refused_at_once(tmp_path: Path) -> None:
    traces = {"count": 100_000_000}
    with pytest.raises(
        ConfigurationError, match=r"output\.limit: traces would bring the templates to .*, over the limit"
    ):
        generate(configuration(traces=traces), Files(prefix=tmp_path / "t", limit=10_000_000))
    assert not list(tmp_path.iterdir())


def test_logs_over_the_limit(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"output\.limit: logs would bring the templates to"):
        generate(configuration(traces=None, metrics=None), Files(prefix=tmp_path / "t", limit=10_000))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"file.*: cannot be written: .*; choose another folder or make room"):
        generate(configuration(), Files(prefix=tmp_path / "file" / "t"))


def test_a_capture(tmp_path: Path) -> None:
    files = Files(prefix=tmp_path / "t", with_json=True)
    described = import_capture(CAPTURES / "jaeger.json", CaptureSettings(anonymise=True, seed=1), files)
    assert described["capture"] == "jaeger.json"
    assert described["formats"] == ["Jaeger JSON"]
    assert described["anonymised"] is True
    assert described["traces"]["spans"] == Template.open(tmp_path / "t-traces.pb").requests.items.sum()
    assert yaml.safe_load((tmp_path / "t-metadata.yaml").read_text()) == described


def test_a_capture_that_is_none(tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    capture.write_text("seed: 7")
    with pytest.raises(TemplateError, match=r"capture: .* no known format"):
        import_capture(capture, CaptureSettings(), Files(prefix=tmp_path / "new" / "t"))
    assert not list((tmp_path / "new").iterdir())


def test_parts_that_are_streamed_are_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivace.telemetry.traces.BATCH_SPANS", 250)
    generate(configuration(), Files(prefix=tmp_path / "t"))
    parts = list(stream_templates(configuration()))
    assert len(parts) > 1
    payload = b"".join(part.payload.tobytes() for part in parts)
    assert payload == (tmp_path / "t-traces.pb").read_bytes()
    number, whole = 0, Template.open(tmp_path / "t-traces.pb")
    for part in parts:
        for request in range(len(part)):
            assert sent_request(part, 9, request, 10**18) == sent_request(whole, 9, number, 10**18)
            number += 1
    assert number == len(whole)


def test_an_index_of_parts_is_that_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivace.telemetry.traces.BATCH_SPANS", 250)
    generate(configuration(), Files(prefix=tmp_path / "t"))
    opened = Template.open(tmp_path / "t-traces.pb")
    built = build(opened.payload, "bytes")
    for name in (
        "id_offset",
        "id_slot",
        "id_bounds",
        "time_offset",
        "time_value",
        "time_bounds",
        "groups",
        "group_words",
    ):
        assert np.array_equal(getattr(opened, name), getattr(built, name)), name
    for name in ("start", "stop", "items", "traces", "group", "words", "span_ns"):
        assert np.array_equal(getattr(opened.requests, name), getattr(built.requests, name)), name
    assert opened.values is not None
    assert built.values is not None
    for name in ("offset", "slot", "bounds", "words"):
        assert np.array_equal(getattr(opened.values, name), getattr(built.values, name)), name


def test_streams_of_all_signals() -> None:
    for signal, items in ((Signal.METRICS, None), (Signal.LOGS, 500)):
        parts = list(stream_templates(configuration(), signal))
        assert {part.signal for part in parts} == {signal}
        assert items is None or sum(int(part.requests.items.sum()) for part in parts) == items
    assert not list(stream_templates(configuration(metrics=None), Signal.METRICS))


def test_an_endless_stream_never_repeats_an_id() -> None:
    met: set[int] = set()
    traces = 0
    for part in stream_templates(configuration(), endless=True):
        for request in range(len(part)):
            words = group_words(1, 0, int(part.groups[request]), int(part.group_words[request])).tolist()
            assert not met & set(words)
            met |= set(words)
        traces += int(part.requests.traces.sum())
        if traces > 10_000:
            break
    logs = stream_templates(configuration(), Signal.LOGS, endless=True)
    assert sum(int(next(logs).requests.items.sum()) for _ in range(3)) == 1500
