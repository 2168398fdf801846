"""What pydantic found wrong, in this product's words: what is there, what must be, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, get_args

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from vivace.profile.refusal import near, nearest, shown
from vivace.profile.yaml_reader import Location

_EXPECTED: Final = MappingProxyType(
    {
        "string_type": "text",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "finite_number": "a number",
        "bool_type": "true or false",
        "model_type": "a mapping",
        "dict_type": "a mapping",
        "mapping_type": "a mapping",
        "list_type": "a list",
        "tuple_type": "a list",
    }
)
_BOUNDS: Final = MappingProxyType(
    {
        "greater_than": ("greater than", "gt", "raise it"),
        "greater_than_equal": ("at least", "ge", "raise it"),
        "less_than": ("less than", "lt", "lower it"),
        "less_than_equal": ("at most", "le", "lower it"),
    }
)


@dataclass(frozen=True)
class Complaint:
    """What is wrong with a value and what to do about it; `related` names fields beside it that matter too."""

    message: str
    remedy: str
    related: tuple[str, ...] = ()


def complaint(model: type[BaseModel], detail: ErrorDetails) -> Complaint:
    """The complaint about one error of a model's validation."""
    kind, location, context = detail["type"], detail["loc"], detail.get("ctx", {})
    if kind == "refusal":
        return Complaint(context["message"], context["remedy"], tuple(context["related"]))
    if kind == "missing":
        return Complaint("is missing", _add(model, location))
    if kind == "extra_forbidden":
        return _unknown(model, location)
    return _about_value(detail, _examples(model, location))


def _about_value(detail: ErrorDetails, examples: list[str]) -> Complaint:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _EXPECTED:
        return _wrong_kind(value, _EXPECTED[kind], examples)
    if kind in _BOUNDS:
        words, bound, remedy = _BOUNDS[kind]
        return Complaint(f"is {shown(value)}, must be {words} {context[bound]:g}", remedy)
    if kind == "literal_error":
        return _choice(str(value), context["expected"], shown(value))
    message = str(context["error"]) if kind == "value_error" else f"is {shown(value)}: {_lower(detail['msg'])}"
    return Complaint(message, "correct it")


def _wrong_kind(value: object, expected: str, examples: list[str]) -> Complaint:
    message = f"is {shown(value)}, must be {expected}"
    if isinstance(value, str) and "number" in expected and value.replace(".", "", 1).isdigit():
        return Complaint(message, "write it without quotes")
    if expected == "text" and isinstance(value, bool | int | float):
        return Complaint(message, f'put it in quotes: "{shown(value)}"')
    if expected == "a mapping":
        return Complaint(message, "write its fields below it, indented")
    return Complaint(message, f"give {expected}" + (f" such as {examples[0]}" if examples else ""))


def _choice(value: str, expected: str, there: str) -> Complaint:
    choices = [choice.strip("' ") for choice in expected.replace(" or ", ", ").split(",")]
    return Complaint(
        f"is {there}, must be one of {', '.join(choices)}", nearest(value, choices) or "choose one of them"
    )


def _add(model: type[BaseModel], location: Location) -> str:
    examples = _examples(model, location)
    if examples:
        return f"add it, such as `{location[-1]}: {examples[0]}`"
    inside = _model_at(model, location)
    needed = (
        [_names(name, field)[0] for name, field in inside.model_fields.items() if field.is_required()] if inside else []
    )
    return f"add it, with {', '.join(needed)} below it" if needed else "add it"


def _unknown(model: type[BaseModel], location: Location) -> Complaint:
    holder = _model_at(model, location[:-1])
    name = str(location[-1])
    names = [_names(alias, field) for alias, field in holder.model_fields.items()] if holder else []
    for others in names:
        if name in others:
            return Complaint(f"says the same as {' and '.join(o for o in others if o != name)}", "keep one of them")
    return Complaint("is not a known field", near(name, [others[0] for others in names]))


def _names(attribute: str, field: FieldInfo) -> list[str]:
    """The names that a field may have in a file, the preferred one first."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(choice) for choice in field.validation_alias.choices]
    return [field.alias or attribute]


def _examples(model: type[BaseModel], location: Location) -> list[str]:
    holder = _model_at(model, location[:-1])
    fields = holder.model_fields.items() if holder else ()
    return [str(e) for name, field in fields if location[-1] in _names(name, field) for e in field.examples or ()]


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The model that validates what stands at a location, found along the annotations of the fields."""
    found: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int):
            continue
        fields = found.model_fields.items() if found else ()
        inside = [field.annotation for name, field in fields if part in _names(name, field)]
        found = next(_models_in(inside[0]), None) if inside else None
    return found


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
