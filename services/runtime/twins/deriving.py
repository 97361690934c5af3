"""Derives twins from pydantic models, by way of their core schemas.

A core schema describes exactly what pydantic does with a model. Parts of it that are not known here
are left to pydantic: a member is read by pydantic's validator of the member, a nested model becomes
a pydantic model inside the twin.

msgspec converts a decoded body into the twin, which checks structure, types and lengths. Then a
generated function (`source.py`) reads in place the values that need further checks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

from msgspec import Meta, Struct, defstruct
from pydantic import BaseModel

from schemas.model import ContractModel
from schemas.repair import USUAL
from services.runtime.twins.source import OMITTED, Member, finisher
from services.runtime.twins.values import (
    Read,
    Schema,
    Underivable,
    ValueReading,
    pydantic_reader,
    require_only,
    usual_text,
    value_of,
)

_CONFIG = {"title", "extra_fields_behavior", "validate_by_alias", "validate_by_name", "frozen"}
_UNCHANGING = (type(None), bool, int, str, Decimal, Enum)
# Names that a model's check may not use: a twin does not have them, or has other results.
_OF_MODELS = frozenset(dir(BaseModel)) | {"isinstance", "type", "vars", "getattr", "hasattr"}


@dataclass(frozen=True, slots=True)
class Twin:
    """The Struct derived from a model, and the function that finishes it, None if not needed."""

    struct: type[Struct]
    finish: Read | None
    source: str


class Derivation:
    """Derives one twin of each model; those of `omitted_of` store which members were omitted.

    Where `is_repairing`, twins refuse values that are not usual (`schemas/repair.py`) and empty
    texts, so that the message is repaired.
    """

    def __init__(
        self, omitted_of: Collection[type[BaseModel]] = (), *, is_repairing: bool = False
    ) -> None:
        self._omitted_of = omitted_of
        self._is_repairing = is_repairing
        self._definitions: dict[str, Any] = {}
        self.twins: dict[type[BaseModel], Twin] = {}
        self.left: dict[str, str] = {}
        """Models without a twin, with the reason; pydantic reads them."""

    def twin_of(self, model: type[BaseModel]) -> Twin:
        """Derive the twin of a model.

        Raises:
            Underivable: the model has a part that only pydantic can read.
        """
        schema: Any = model.__pydantic_core_schema__
        if schema["type"] == "definitions":
            self._definitions |= {each["ref"]: each for each in schema["definitions"]}
            schema = schema["schema"]
        return self._twin(self._resolved(schema))

    def _resolved(self, schema: Schema) -> Schema:
        if schema["type"] != "definition-ref":
            return schema
        require_only(schema, "schema_ref")
        found: Schema = self._definitions[schema["schema_ref"]]
        return found

    def _twin(self, schema: Schema) -> Twin:
        checks: list[Read] = []
        while schema["type"] == "function-after":
            checks.insert(0, _check_of(schema))
            schema = schema["schema"]
        if schema["type"] != "model":
            raise Underivable(f"a model inside {schema['type']}")
        model: type[BaseModel] = schema["cls"]
        if model not in self.twins:
            members = [*map(self._member, *zip(*_fields_of(schema).items(), strict=True))]
            self.twins[model] = self._built(model, members, checks, schema.get("config", {}))
        return self.twins[model]

    def _built(
        self, model: type[BaseModel], members: list[Member], checks: list[Read], config: Schema
    ) -> Twin:
        """Define the Struct; names that a body must not have are members of type None."""
        has_omitted = model in self._omitted_of
        fields: list[Any] = [_field(each, has_omitted=has_omitted) for each in members]
        renamed = {each.name: each.key for each in members if each.key != each.name}
        if config.get("validate_by_name"):
            # pydantic also accepts the member under its other name; it reads such a message.
            fields += [(f"{name}_by_name", None, None) for name in renamed]
            renamed |= {f"{name}_by_name": name for name in list(renamed)}
        if has_omitted:
            fields.append((OMITTED, None, None))
        struct = defstruct(
            model.__name__, fields, rename=renamed or None, kw_only=True, gc=False, eq=False
        )
        return Twin(struct, *finisher(model.__name__, members, checks, has_omitted=has_omitted))

    def _member(self, name: str, field: Schema) -> Member:
        require_only(field, "schema", "validation_alias", "serialization_alias", "frozen")
        key = field.get("validation_alias", name)
        if not isinstance(key, str):
            raise Underivable(f"{name}: read under several names")
        schema, is_required, default = field["schema"], True, None
        if schema["type"] == "default":
            require_only(
                schema, "schema", "default", "default_factory", "default_factory_takes_data"
            )
            is_required, default = _default_of(schema)
            schema = schema["schema"]
        if schema["type"] == "nullable":
            require_only(schema, "schema")
            schema = schema["schema"]
        return Member(name, key, self._value(schema), is_required, default)

    def _value(self, schema: Schema) -> ValueReading:
        schema = self._resolved(schema)
        if schema["type"] == "list":
            require_only(schema, "items_schema", "min_length", "max_length")
            item = self._value(schema.get("items_schema", {"type": "any"}))
            if item.is_list:
                return ValueReading(Any, self._pydantic_reader(schema))
            bounds = {name: schema[name] for name in ("min_length", "max_length") if name in schema}
            many = tuple[item.type, ...]  # type: ignore[name-defined]
            kind = Annotated[many, Meta(**bounds)] if bounds else many
            return ValueReading(kind, item.read, item.is_changing, is_list=True)
        if _is_model(schema):
            return self._nested(schema)
        definitions = tuple(self._definitions.values())
        if self._is_repairing and (usual := schema.get("metadata", {}).get(USUAL)) is not None:
            return usual_text(schema, usual)
        return value_of(schema, definitions, least=int(self._is_repairing))

    def _nested(self, schema: Schema) -> ValueReading:
        try:
            twin = self._twin(schema)
        except Underivable as reason:
            self.left[_model_in(schema)["cls"].__name__] = str(reason)
            return ValueReading(Any, self._pydantic_reader(schema))
        return ValueReading(twin.struct, twin.finish, is_changing=False)

    def _pydantic_reader(self, schema: Schema) -> Read:
        return pydantic_reader(schema, tuple(self._definitions.values()))


def _model_in(schema: Schema) -> Schema:
    while schema["type"] == "function-after":
        schema = schema["schema"]
    return schema


def _is_model(schema: Schema) -> bool:
    return bool(_model_in(schema)["type"] == "model")


def _fields_of(schema: Schema) -> dict[str, Schema]:
    """List the fields of a plain model: null is absent, and unknown members are ignored."""
    require_only(schema, "cls", "config", "schema", "custom_init", "root_model", "frozen")
    config, inner = schema.get("config", {}), schema["schema"]
    is_plain = not (schema["custom_init"] or schema["root_model"])
    stripped = {name: held for name, held in config.items() if held is not False}
    if not is_plain or stripped.keys() - _CONFIG:
        raise Underivable(f"a model with the settings {', '.join(sorted(stripped))}")
    if config.get("extra_fields_behavior", "ignore") != "ignore":
        raise Underivable("a model that keeps members it does not know")
    if config.get("validate_by_alias") is False:
        raise Underivable("a model that is read by names that are no aliases")
    if inner["type"] != "function-before" or not _drops_null(inner["function"]):
        raise Underivable("a model whose null is not the same as absent")
    require_only(inner, "function", "schema")
    require_only(inner["schema"], "fields", "model_name", "computed_fields")
    if inner["schema"].get("computed_fields"):
        raise Underivable("a model with computed members")
    fields: dict[str, Schema] = inner["schema"]["fields"]
    return fields


def _drops_null(function: Schema) -> bool:
    known: Any = ContractModel.null_is_absent
    found = getattr(function["function"], "__func__", None)
    return bool(function["type"] == "no-info") and found is known.__func__


def _check_of(schema: Schema) -> Read:
    """Find the check of a finished model; it reads members only, so it works on a twin too."""
    require_only(schema, "function", "schema")
    function: Any = schema["function"]["function"]
    used = _names_in([function.__code__]) & _OF_MODELS if hasattr(function, "__code__") else {"?"}
    if schema["function"]["type"] != "no-info" or used:
        raise Underivable(f"a check that needs a pydantic model: {', '.join(sorted(used))}")
    check: Read = function
    return check


def _names_in(codes: Iterable[Any]) -> frozenset[str]:
    """List the globals and attributes used by code objects and the functions inside them."""
    found: frozenset[str] = frozenset()
    for code in codes:
        inner = [each for each in code.co_consts if hasattr(each, "co_names")]
        found |= frozenset(code.co_names) | _names_in(inner)
    return found


def _default_of(schema: Schema) -> tuple[bool, Any]:
    """Find whether the twin requires the member, and its default if not.

    It is if pydantic makes the default for each message; the model then reads bodies without it.
    """
    if "default_factory" in schema:
        takes_others = schema.get("default_factory_takes_data")
        is_empty_list = schema["default_factory"] is list and not takes_others
        return not is_empty_list, ()
    if not isinstance(schema["default"], _UNCHANGING):
        raise Underivable(f"a default that can change: {schema['default']!r}")
    return False, schema["default"]


def _field(member: Member, *, has_omitted: bool) -> tuple[Any, ...]:
    """Define a field of the Struct; an optional member may be null and gets its default later.

    msgspec sets the default of an absent member itself unless omitted members are stored.
    """
    kind, value = member.value.type, member.value
    if member.is_required:
        return (member.name, kind)
    is_final = not has_omitted and (value.read is None or value.is_list)
    return (member.name, kind if kind is Any else kind | None, member.default if is_final else None)
