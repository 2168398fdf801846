"""Replaces every name and value in OTLP messages that could tell whose they are.

Kept are structure, times, IDs (replay makes new ones), numbers, lengths, which values are equal, the public keys of
OpenTelemetry's semantic conventions, the values of those that are enumerations, and the names of public events, metrics
and instrumentation libraries. Numbers are replaced under keys that suggest identity. This is pseudonymisation: who
knows what was captured can still recognise patterns, such as which words are frequent.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue

from vivace.telemetry.capture.conventions import conventions, suggests_identity
from vivace.telemetry.capture.otlp import Telemetry
from vivace.telemetry.capture.pseudonyms import Pseudonyms

KEY_BYTES: Final = 32
PUBLIC_LIBRARY: Final = "opentelemetry"
PUBLIC_SCHEMA: Final = "https://opentelemetry.io/schemas/"
LONGEST_ENUMERATED: Final = 40
"""Longer texts are not taken for values of an enumeration, whatever their key."""
KEPT: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
SEVERITY: Final = re.compile(r"(?i:trace|debug|info|warn|warning|error|fatal|critical)[2-4]?")
UNITS: Final = re.compile(r"\{[^}]*\}?|[^\W_]+")
"""Parts of a unit, such as `{request}` and `s` in `{request}/s`."""

T = TypeVar("T")
Visit: TypeAlias = Callable[..., None]
"""Rewrites a message of one type in place."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of an attribute."""

    key: str
    keeps_text: bool
    replaces_numbers: bool


BODY: Final = Rule("", keeps_text=False, replaces_numbers=False)
"""Of a value without a key."""


class Anonymiser:
    """Rewrites messages in place; equal inputs become equal outputs as long as the seed is the same.

    Goes by descriptors: a text or bytes in any field that is not named here are replaced.
    """

    def __init__(self, seed: int | None) -> None:
        """Without a seed the key is random, so that nobody can repeat it."""
        key = secrets.token_bytes(KEY_BYTES) if seed is None else seed.to_bytes(KEY_BYTES, "little")
        self._pseudonyms = Pseudonyms(key)
        self._public = conventions()
        self._rules: dict[str, Rule] = {}
        self._texts = {
            "schema_url": self._schema_url,
            "severity_text": self._severity,
            "event_name": self._event_name,
            "Event.name": self._event_name,
            "Metric.name": self._metric_name,
            "Metric.unit": self._unit,
            "EntityRef.type": self._entity_type,
            "id_keys": self._key,
            "description_keys": self._key,
        }
        self._visits: dict[str, Visit] = {
            KeyValue.DESCRIPTOR.full_name: self._attribute,
            AnyValue.DESCRIPTOR.full_name: self._value,
            InstrumentationScope.DESCRIPTOR.full_name: self._scope,
        }

    def __call__(self, telemetry: Telemetry) -> None:
        """Rewrites a whole message; what protobuf does not know of it is removed."""
        telemetry.DiscardUnknownFields()
        self._visit(telemetry.DESCRIPTOR)(telemetry)

    def _visit(self, descriptor: Descriptor) -> Visit:
        """The visit to messages of one type, which is put together when the first is met."""
        if descriptor.full_name not in self._visits:
            parts = [self._part(field, descriptor.name) for field in descriptor.fields]
            self._visits[descriptor.full_name] = partial(_all, [part for part in parts if part is not None])
        return self._visits[descriptor.full_name]

    def _part(self, field: FieldDescriptor, owner: str) -> Visit | None:
        """What rewrites one field, None where nothing is to be."""
        if field.message_type is not None:
            inner = self._visit(field.message_type)
            return partial(_each if field.is_repeated else _one, field.name, inner)
        if field.name in KEPT:
            return None
        if field.type == FieldDescriptor.TYPE_BYTES:
            return partial(_scalar, field.name, self._pseudonyms.data)
        if field.type == FieldDescriptor.TYPE_STRING:
            named = self._texts.get(f"{owner}.{field.name}") or self._texts.get(field.name)
            rewrite = named or self._pseudonyms.text
            return partial(_scalars if field.is_repeated else _scalar, field.name, rewrite)
        return None

    def _attribute(self, attribute: KeyValue, outer: Rule = BODY) -> None:
        rule = self._rules.get(attribute.key)
        if rule is None:
            rule = self._rules[attribute.key] = self._rule(attribute.key)
        if rule.key != attribute.key:
            attribute.key = rule.key
        self._value(attribute.value, replace(rule, replaces_numbers=True) if outer.replaces_numbers else rule)

    def _rule(self, key: str) -> Rule:
        return Rule(self._key(key), key in self._public.enumerations, suggests_identity(key))

    def _value(self, value: AnyValue, rule: Rule = BODY) -> None:
        match value.WhichOneof("value"):
            case "string_value":
                text = value.string_value
                if not (rule.keeps_text and len(text) <= LONGEST_ENUMERATED):
                    value.string_value = self._pseudonyms.text(text)
            case "bytes_value":
                value.bytes_value = self._pseudonyms.data(value.bytes_value)
            case "int_value" if rule.replaces_numbers:
                value.int_value = self._pseudonyms.integer(value.int_value)
            case "double_value" if rule.replaces_numbers:
                value.double_value = self._pseudonyms.floating(value.double_value)
            case "array_value":
                for item in value.array_value.values:
                    self._value(item, rule)
            case "kvlist_value":
                for pair in value.kvlist_value.values:
                    self._attribute(pair, rule)

    def _scope(self, scope: InstrumentationScope) -> None:
        """Names of OpenTelemetry's own libraries are public, and so are their versions."""
        if PUBLIC_LIBRARY not in scope.name.lower():
            scope.name = self._pseudonyms.text(scope.name)
            scope.version = self._pseudonyms.text(scope.version)
        for attribute in scope.attributes:
            self._attribute(attribute)

    def _key(self, key: str) -> str:
        if key in self._public.keys:
            return key
        template = self._public.template(key)
        if template:
            return template + self._pseudonyms.text(key.removeprefix(template))
        replaced = self._pseudonyms.text(key)
        while replaced in self._public.keys:
            replaced = self._pseudonyms.text(replaced)
        return replaced

    def _schema_url(self, url: str) -> str:
        return url if url.startswith(PUBLIC_SCHEMA) else self._pseudonyms.text(url)

    def _severity(self, text: str) -> str:
        return text if SEVERITY.fullmatch(text) else self._pseudonyms.text(text)

    def _event_name(self, name: str) -> str:
        return name if name in self._public.events else self._pseudonyms.text(name)

    def _metric_name(self, name: str) -> str:
        return name if name.startswith(self._public.metrics) else self._pseudonyms.text(name)

    def _unit(self, unit: str) -> str:
        return UNITS.sub(
            lambda part: part[0] if part[0] in self._public.units else self._pseudonyms.text(part[0]), unit
        )

    def _entity_type(self, name: str) -> str:
        public = {f"{name}.name", f"{name}.id", f"{name}.pid"} & self._public.keys
        return name if public else self._pseudonyms.text(name)


def _all(parts: Sequence[Visit], message: Message) -> None:
    for part in parts:
        part(message)


def _one(name: str, inner: Visit, message: Message) -> None:
    if message.HasField(name):
        inner(getattr(message, name))


def _each(name: str, inner: Visit, message: Message) -> None:
    for child in getattr(message, name):
        inner(child)


def _scalar(name: str, rewrite: Callable[[T], T], message: Message) -> None:
    if value := getattr(message, name):
        setattr(message, name, rewrite(value))


def _scalars(name: str, rewrite: Callable[[T], T], message: Message) -> None:
    values = getattr(message, name)
    values[:] = [rewrite(value) for value in values]
