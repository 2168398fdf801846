"""Fields of the language read from a unit: attributes and intrinsics -> values, over the rows of a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from vivace.backend.query import tree_order
from vivace.backend.query.summary import resource_services, root_names, root_services, summary
from vivace.backend.query.value import Column, Identifiers, Mask, Part, Rows, Type
from vivace.backend.query.view import Held, View
from vivace.traceql.tree import Attribute, Intrinsic, IntrinsicField, Scope

TABLES: Final[Mapping[Scope, str]] = {
    Scope.SPAN: "spans",
    Scope.RESOURCE: "resources",
    Scope.EVENT: "events",
    Scope.LINK: "links",
    Scope.INSTRUMENTATION: "scopes",
}
SERVICE: Final = "service.name"


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows of one table that an expression is evaluated for; None means all of them."""

    view: View
    table: str = "spans"
    rows: Rows | None = None

    def __len__(self) -> int:
        return self.view.rows(self.table) if self.rows is None else len(self.rows)

    def within(self, mask: Mask) -> Frame:
        """Those rows of the frame for which the mask is true."""
        places = np.flatnonzero(mask)
        return replace(self, rows=places if self.rows is None else self.rows[places])

    def of(self, table: str) -> Rows | None:
        """For each row of the frame the row of another table that it belongs to; None when they are the same."""
        if table == self.table:
            return self.rows
        if self.table in ("events", "links"):
            spans = self._index(self.table, "span")
            return spans if table == "spans" else self._index("spans", _KEYS[table])[spans]
        return self._index("spans", _KEYS[table])

    def _index(self, table: str, name: str) -> Rows:
        index = self.view.index(table, name)
        return index if self.rows is None or table != self.table else index[self.rows]

    def take(self, table: str, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """Values of a table's rows, brought to the rows of the frame."""
        rows = self.of(table)
        return parts if rows is None else tuple(part.take(rows) for part in parts)


_KEYS: Final = {"traces": "trace", "resources": "resource", "scopes": "scope"}


def tables(field: Attribute | IntrinsicField, view: View) -> frozenset[str]:
    """The tables that a field is read from; an unscoped key that no span has comes from resources alone."""
    if isinstance(field, IntrinsicField):
        return frozenset({INTRINSICS[field.intrinsic].table})
    if field.scope is not Scope.NONE:
        return frozenset({TABLES[field.scope]})
    return frozenset({"spans", "resources"}) if view.has("spans", field.name) else frozenset({"resources"})


def read(field: Attribute | IntrinsicField, frame: Frame) -> tuple[Part, ...]:
    """The value of a field for every row of a frame."""
    if isinstance(field, IntrinsicField):
        intrinsic = INTRINSICS[field.intrinsic]
        return frame.take(intrinsic.table, (intrinsic.read(frame.view),))
    if field.scope is not Scope.NONE:
        table = TABLES[field.scope]
        return frame.take(table, held(frame.view, table, field.name).parts)
    return _unscoped(field.name, frame)


def held(view: View, table: str, key: str) -> Held:
    """An attribute of a table. A resource without service.name has an empty one."""
    found = view.attribute(table, key)
    if table != "resources" or key != SERVICE:
        return found
    services = resource_services(view).only(~found.held | _text_mask(found, view))
    rest = tuple(part for part in found.parts if not (isinstance(part, Column) and part.type is Type.STRING))
    return Held((services, *rest), np.ones(len(services), np.bool_))


def _text_mask(found: Held, view: View) -> Mask:
    for part in found.parts:
        if isinstance(part, Column) and part.type is Type.STRING:
            return part.known
    return np.zeros(view.rows("resources"), np.bool_)


def _unscoped(key: str, frame: Frame) -> tuple[Part, ...]:
    """The span's own attribute where it has the key, else its resource's."""
    view = frame.view
    above = frame.take("resources", held(view, "resources", key).parts)
    if not view.has("spans", key):
        return above
    own = view.attribute("spans", key)
    at = frame.of("spans")
    free = ~own.held if at is None else ~own.held[at]
    return (*frame.take("spans", own.parts), *(_only(part, free) for part in above))


def _only(part: Part, where: Mask) -> Part:
    return part if isinstance(part, Identifiers) else part.only(where)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Where an intrinsic is read: one value per row of a table."""

    table: str
    read: Callable[[View], Part]


def _since_start(view: View) -> Column:
    starts = view.numbers("spans", "start").data.astype(np.int64, copy=False)
    times = view.numbers("events", "time").data.astype(np.int64, copy=False)
    return Column(Type.DURATION, times - starts[view.index("events", "span")])


def _count(rows: Rows) -> Column:
    return Column(Type.INT, rows)


def _ids(table: str, *names: str) -> _Reader:
    return _Reader(table, lambda view: Identifiers(tuple(view.words(table, name) for name in names)))


def _number(name: str, kind: Type) -> _Reader:
    return _Reader("spans", lambda view: replace(view.numbers("spans", name), type=kind))


def _text(table: str, name: str) -> _Reader:
    return _Reader(table, lambda view: view.text(table, name, ""))


INTRINSICS: Final[Mapping[Intrinsic, _Reader]] = {
    Intrinsic.SPAN_DURATION: _number("duration", Type.DURATION),
    Intrinsic.SPAN_NAME: _text("spans", "name"),
    Intrinsic.SPAN_KIND: _number("kind", Type.KIND),
    Intrinsic.SPAN_STATUS: _number("status", Type.STATUS),
    Intrinsic.SPAN_STATUS_MESSAGE: _text("spans", "status_message"),
    Intrinsic.SPAN_ID: _ids("spans", "span_id"),
    Intrinsic.SPAN_PARENT_ID: _ids("spans", "parent_id"),
    Intrinsic.SPAN_CHILD_COUNT: _Reader("spans", lambda view: _count(tree_order.children(view))),
    Intrinsic.NESTED_SET_LEFT: _Reader("spans", lambda view: _count(tree_order.nested_set(view).left)),
    Intrinsic.NESTED_SET_RIGHT: _Reader("spans", lambda view: _count(tree_order.nested_set(view).right)),
    Intrinsic.NESTED_SET_PARENT: _Reader("spans", lambda view: _count(tree_order.nested_set(view).parent)),
    Intrinsic.TRACE_DURATION: _Reader("traces", lambda view: Column(Type.DURATION, summary(view).duration)),
    Intrinsic.TRACE_ROOT_NAME: _Reader("traces", root_names),
    Intrinsic.TRACE_ROOT_SERVICE: _Reader("traces", root_services),
    Intrinsic.TRACE_ID: _ids("traces", "trace_hi", "trace_lo"),
    Intrinsic.EVENT_NAME: _text("events", "name"),
    Intrinsic.EVENT_TIME_SINCE_START: _Reader("events", _since_start),
    Intrinsic.LINK_TRACE_ID: _ids("links", "trace_hi", "trace_lo"),
    Intrinsic.LINK_SPAN_ID: _ids("links", "span_id"),
    Intrinsic.INSTRUMENTATION_NAME: _text("scopes", "name"),
    Intrinsic.INSTRUMENTATION_VERSION: _text("scopes", "version"),
}
