from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import grpc
import pytest
from google.rpc.status_pb2 import Status
from tests.backend.receive.conftest import Receiver, started
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.store.decode import arrange

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver of many tenants."""
    with started(tmp_path_factory.mktemp("shared"), multitenancy=True) as receiver:
        yield receiver


def test_what_is_sent_belongs_to_who_sent_it(shared: Receiver) -> None:
    assert shared.send(request(1), metadata=(("x-scope-orgid", "red"),)) == b""
    assert shared.post(request(2), {**PROTOBUF, "X-Scope-OrgID": "blue"})[0] == 200
    assert shared.send(request(3), metadata=(("x-scope-orgid", "red"),)) == b""
    stored: dict[str, Counter[bytes]] = {}
    for record in shared.records():
        stored.setdefault(record.tenant, Counter()).update(stored_spans(arrange(record.batch)))
    assert stored == {"red": sent_spans([request(1), request(3)]), "blue": sent_spans([request(2)])}
    assert shared.figure('tempo_distributor_spans_received_total{tenant="red"}') == 30
    assert shared.figure('tempo_distributor_ingress_bytes_total{tenant="blue"}') == len(request(2))


REFUSED = {
    "no tenant": (None, 401, "no org id"),
    "an impossible name": ("a/b", 400, "unsupported character"),
    "several": ("red|blue", 400, "multiple org IDs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_requests_must_say_whose_they_are(shared: Receiver, case: str) -> None:
    name, status, words = REFUSED[case]
    before = len(shared.records())
    code = grpc.StatusCode.UNAUTHENTICATED if status == 401 else grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError, match=words) as error:
        shared.send(request(9), metadata=() if name is None else (("x-scope-orgid", name),))
    assert error.value.code() is code
    header = {} if name is None else {"X-Scope-OrgID": name}
    answered, body, _ = shared.post(request(9), {**PROTOBUF, **header})
    assert (answered, Status.FromString(body).code) == (status, code.value[0])
    assert words in Status.FromString(body).message
    answered, body, _ = shared.post(b"{}", {"Content-Type": "application/json", **header})
    assert answered == status
    assert words in json.loads(body)["message"]
    assert len(shared.records()) == before


def test_without_tenants_the_header_is_not_looked_at(receiver: Receiver) -> None:
    assert receiver.send(request(1), metadata=(("x-scope-orgid", "a/b"),)) == b""
    assert [record.tenant for record in receiver.records()] == ["single-tenant"]
