from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.telemetry.capture.capture import templates_from
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.items import build_items
from vivace.telemetry.otlp_json import json_lines
from vivace.telemetry.template import Signal, Template


def test_what_is_written_can_be_imported_again(tmp_path: Path) -> None:
    generate_traces(TraceSettings(profile="small", traces=30, traces_per_request=10, seed=3), tmp_path / "shop")
    template = Template.open(tmp_path / "shop-traces.pb")
    path = tmp_path / "shop.json"
    path.write_bytes(b"".join(json_lines(template)))
    report = templates_from(path, tmp_path / "again")
    assert report.counts.spans == template.requests.items.sum()
    assert not report.warnings
    again = Template.open(tmp_path / "again-traces.pb")
    assert names(again) == names(template)


def names(template: Template) -> list[str]:
    message = TracesData.FromString(template.payload.tobytes())
    return sorted(span.name for entry in message.resource_spans for scope in entry.scope_spans for span in scope.spans)


def lines(message: Message, signal: Signal) -> Sequence[object]:
    template = build_items(np.frombuffer(message.SerializeToString(), np.uint8), "bytes", signal)
    return [json.loads(line) for line in json_lines(template)]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (AnyValue(string_value="a"), {"stringValue": "a"}),
        (AnyValue(bool_value=False), {"boolValue": False}),
        (AnyValue(int_value=1 << 60), {"intValue": str(1 << 60)}),
        (AnyValue(double_value=0.5), {"doubleValue": 0.5}),
        (AnyValue(double_value=float("nan")), {"doubleValue": "NaN"}),
        (AnyValue(double_value=float("-inf")), {"doubleValue": "-Infinity"}),
        (AnyValue(bytes_value=b"\x00\xff"), {"bytesValue": "AP8="}),
    ],
)
def test_values_are_written_as_otlp_has_them(value: AnyValue, written: object) -> None:
    record = LogRecord(
        time_unix_nano=10**9,
        severity_number=9,  # type: ignore[arg-type]
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        attributes=[KeyValue(key="k", value=value)],
    )
    [document] = lines(
        LogsData(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])]), Signal.LOGS
    )
    assert document == {
        "resourceLogs": [
            {
                "scopeLogs": [
                    {
                        "logRecords": [
                            {
                                "timeUnixNano": "1000000000",
                                "severityNumber": 9,
                                "traceId": "000102030405060708090a0b0c0d0e0f",
                                "spanId": "0001020304050607",
                                "attributes": [{"key": "k", "value": written}],
                            }
                        ]
                    }
                ]
            }
        ]
    }
