"""What each span tells of itself: attributes by the OpenTelemetry semantic conventions (1.44)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.attributes import AttributeTable, Vocabulary
from vivace.telemetry.batch import Batch
from vivace.telemetry.business import tell_business
from vivace.telemetry.catalogue import Catalogue
from vivace.telemetry.draws import Draws
from vivace.telemetry.faults import HTTP_STATUS, REFUSALS, RPC_STATUS, Fault, failed
from vivace.telemetry.given import Given
from vivace.telemetry.operations import Operation, Shape
from vivace.telemetry.sdk import SDKS
from vivace.telemetry.texts import addresses, decimal, joined
from vivace.telemetry.topology import Language

DATABASE_ERROR: Final = ("", "", "", "", "40P01", "57P03", "57014")
AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
    "Safari/605.1.15",
    "ShopApp/11.4.2 (iOS 18.6; iPhone16,2)",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "curl/8.14.1",
)
QUERIES: Final = tuple(
    f"q={word}&page={page}"
    for page in (1, 2, 3)
    for word in ("boots", "rain+jacket", "desk+lamp", "usb-c+cable", "tent", "coffee+grinder", "kettle", "red+dress")
)
ROWS: Final = 200
"""A query returns fewer rows than this."""
THREADS: Final = 48
PARTITIONS: Final = 12


@dataclass(frozen=True, slots=True)
class Draw:
    """A batch of spans whose attributes are being drawn."""

    batch: Batch
    table: AttributeTable
    random: np.random.Generator

    def rows(self, *shapes: Shape) -> Numbers:
        """The spans of these shapes."""
        wanted = np.zeros(len(Shape), np.bool_)
        wanted[list(shapes)] = True
        return np.flatnonzero(wanted[self.batch.shape])


@dataclass(frozen=True, slots=True)
class Details:
    """Draws the attributes of batch after batch."""

    catalogue: Catalogue
    vocabulary: Vocabulary
    languages: list[Language]
    """By service."""
    always: npt.NDArray[np.int32]
    """By operation: attributes that never vary, -1 after the last."""
    given: Given

    @classmethod
    def of(cls, catalogue: Catalogue, given: Given) -> Details:
        """For all operations of the catalogue."""
        vocabulary = Vocabulary()
        languages = [service.language for service in catalogue.topology.services.values()]
        numbers = [
            [vocabulary.number(key, value) for key, value in _always(operation, languages).items()]
            for operation in catalogue.operations
        ]
        longest = max(map(len, numbers))
        always = np.array([row + [-1] * (longest - len(row)) for row in numbers], np.int32)
        return cls(catalogue, vocabulary, languages, always, given)

    def table(self, batch: Batch, draws: Draws, random: np.random.Generator) -> AttributeTable:
        """The attributes of all spans of a batch."""
        replaced = self.given.attributes.span.keys()
        table = AttributeTable(self.vocabulary, self.always[batch.trees.operation], replaced)
        draw = Draw(batch, table, random)
        self._http(draw)
        self._paths(draw)
        self._visitors(draw)
        self._rpc(draw)
        self._database(draw)
        self._messaging(draw)
        self._threads(draw)
        self._errors(draw)
        tell_business(batch, table, self.vocabulary, random)
        self.given.tell(batch, table, draws)
        return table

    def _http(self, draw: Draw) -> None:
        rows = draw.rows(Shape.HTTP_SERVER, Shape.HTTP_CLIENT)
        kind = draw.batch.faults.kind[rows]
        success = np.array([operation.success for operation in self.catalogue.operations])
        status = np.where(kind > 0, HTTP_STATUS[kind], success[draw.batch.trees.operation[rows]])
        codes = np.unique(np.concatenate([success, HTTP_STATUS[1:]]))
        numbers = self.vocabulary.numbers("http.response.status_code", codes.tolist())
        draw.table.add(rows, numbers[np.searchsorted(codes, status)])

    def _paths(self, draw: Draw) -> None:
        """url.path of servers, url.full of clients; the two spans of one call name the same thing."""
        trees, shape = draw.batch.trees, draw.batch.shape
        entity = (1000 * np.exp(draw.random.random(len(trees)) * 8)).astype(np.int64)
        called = np.flatnonzero((shape[:-1] == Shape.HTTP_CLIENT) & (trees.parent[1:] == np.arange(len(trees) - 1)))
        entity[called] = entity[called + 1]
        pieces = [_pieces(operation.path) for operation in self.catalogue.operations]
        holes = np.array([len(piece) - 1 for piece in pieces])[trees.operation]
        columns = [pa.array([piece[place] if place < len(piece) else "" for piece in pieces]) for place in range(3)]
        for key, of in (("url.path", Shape.HTTP_SERVER), ("url.full", Shape.HTTP_CLIENT)):
            rows = np.flatnonzero((shape == of) & (holes > 0))
            before, between, after = (column.take(pa.array(trees.operation[rows])) for column in columns)
            second = decimal(entity[rows] % 997).to_numpy(zero_copy_only=False)
            second = pa.array(np.where(holes[rows] > 1, second, ""), pa.string())
            draw.table.add_values(rows, key, joined(before, decimal(entity[rows]), between, second, after))

    def _visitors(self, draw: Draw) -> None:
        """Who asked: people with their browsers where traces begin, the other services' HTTP clients elsewhere."""
        trees = draw.batch.trees
        served = draw.rows(Shape.HTTP_SERVER)
        entries, inner = served[trees.parent[served] < 0], served[trees.parent[served] >= 0]
        libraries = [SDKS[language].agent for language in self.languages]
        numbers = self.vocabulary.numbers("user_agent.original", libraries)
        draw.table.add(inner, numbers[draw.batch.service[trees.parent[inner]]])
        browsers = self.vocabulary.numbers("user_agent.original", list(AGENTS))
        which = np.minimum(draw.random.geometric(0.35, entries.size), len(AGENTS)) - 1
        draw.table.add(entries, browsers[which])
        draw.table.add_values(entries, "client.address", addresses(draw.random, entries.size))
        searching = served[self._has_query()[trees.operation[served]]]
        queries = self.vocabulary.numbers("url.query", list(QUERIES))
        draw.table.add(searching, queries[draw.random.integers(len(QUERIES), size=searching.size)])

    def _has_query(self) -> Flags:
        return np.array([operation.path in {"/search", "/suggest"} for operation in self.catalogue.operations])

    def _rpc(self, draw: Draw) -> None:
        rows = draw.rows(Shape.RPC_SERVER, Shape.RPC_CLIENT)
        numbers = self.vocabulary.numbers("rpc.response.status_code", list(RPC_STATUS))
        draw.table.add(rows, numbers[draw.batch.faults.kind[rows]])

    def _database(self, draw: Draw) -> None:
        every = draw.rows(Shape.DATABASE)
        kind = draw.batch.faults.kind[every]
        rows = every[kind == 0]
        returned = np.minimum(draw.random.geometric(0.2, rows.size), ROWS) - 1
        draw.table.add(rows, self.vocabulary.numbers("db.response.returned_rows", list(range(ROWS)))[returned])
        codes = self.vocabulary.numbers("db.response.status_code", list(DATABASE_ERROR))
        draw.table.add(every[kind > 0], codes[kind[kind > 0]])

    def _messaging(self, draw: Draw) -> None:
        """A consumer, which follows its producer, saw the same message."""
        sent = draw.rows(Shape.PRODUCER)
        partition = draw.random.integers(PARTITIONS, size=sent.size)
        offset = pa.array(draw.random.integers(1 << 20, 1 << 34, sent.size))
        size = pa.array(draw.random.lognormal(6.5, 0.6, sent.size).astype(np.int64))
        partitions = self.vocabulary.numbers("messaging.destination.partition.id", [str(n) for n in range(PARTITIONS)])
        for rows in (sent, sent + 1):
            draw.table.add(rows, partitions[partition])
            draw.table.add_values(rows, "messaging.kafka.offset", offset)
            draw.table.add_values(rows, "messaging.message.body.size", size)

    def _threads(self, draw: Draw) -> None:
        identifiers = self.vocabulary.numbers("thread.id", list(range(1, THREADS + 1)))
        inside = draw.rows(Shape.INTERNAL)
        thread = draw.random.integers(THREADS, size=inside.size)
        for language in sorted(set(self.languages)):
            name = SDKS[language].thread
            if not name:
                continue
            written = np.array([other is language for other in self.languages])
            some = np.flatnonzero(written[draw.batch.service[inside]])
            names = self.vocabulary.numbers("thread.name", [name.format(number) for number in range(THREADS)])
            draw.table.add(inside[some], identifiers[thread[some]])
            draw.table.add(inside[some], names[thread[some]])

    def _errors(self, draw: Draw) -> None:
        batch = draw.batch
        rows = np.flatnonzero(failed(batch.shape, batch.faults.kind))
        types = [
            [[self._error_type(shape, fault, language) for language in self.languages] for fault in Fault]
            for shape in Shape
        ]
        draw.table.add(rows, np.array(types)[batch.shape[rows], batch.faults.kind[rows], batch.service[rows]])

    def _error_type(self, shape: Shape, fault: Fault, language: Language) -> int:
        if shape in {Shape.HTTP_SERVER, Shape.HTTP_CLIENT}:
            value = str(HTTP_STATUS[fault])
        elif shape in {Shape.RPC_SERVER, Shape.RPC_CLIENT} or fault <= REFUSALS:
            value = RPC_STATUS[fault]
        elif shape is Shape.DATABASE:
            value = DATABASE_ERROR[fault]
        else:
            value = SDKS[language].exception(fault)[0]
        return self.vocabulary.number("error.type", value)


def _always(operation: Operation, languages: list[Language]) -> dict[str, str | int]:
    attributes = dict(operation.attributes)
    if operation.path and "{" not in operation.path:
        attributes["url.path" if operation.shape is Shape.HTTP_SERVER else "url.full"] = operation.path
    if operation.shape is Shape.HTTP_CLIENT:
        attributes["network.protocol.version"] = "1.1"
    if operation.shape is Shape.HTTP_SERVER:
        attributes["network.protocol.version"] = "2" if languages[operation.service] is Language.GO else "1.1"
    return attributes


def _pieces(path: str) -> list[str]:
    """What stands before, between and after the {names}."""
    pieces = [piece.partition("}") for piece in path.split("{")]
    return [pieces[0][0], *(after for _, _, after in pieces[1:])]
