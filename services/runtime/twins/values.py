"""How a twin reads one value: by msgspec alone, or with a function of the contract's own.

A value is described by its pydantic core schema. What msgspec's types hold to in the same way as
pydantic is left to msgspec. All else is read by pydantic's own validator of that value (0.06 to
0.2 us), so it cannot differ. Amounts of money are the one exception: pydantic takes 1.3 us for
each, a regular expression with `Decimal` 0.3 us.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta
from pydantic_core import SchemaValidator

from schemas.values import NO_NUL, number, plain_number

Schema = Mapping[str, Any]
Read = Callable[[Any], Any]

# Members of a schema that do not change what is accepted.
SILENT = frozenset({"type", "metadata", "ref", "serialization"})


class Underivable(Exception):
    """A part of the contract that no twin can be derived from; pydantic must read it."""


@dataclass(frozen=True, slots=True)
class Value:
    """How one value is read.

    `type` is what msgspec converts to. `read` takes the converted value and gives the final one;
    None where msgspec's is final. Without `is_changing`, `read` only checks, or works in place.
    With `is_list` the type is a tuple, and `read` takes one of its items.
    """

    type: Any
    read: Read | None = None
    is_changing: bool = True
    is_list: bool = False


def value_of(schema: Schema, definitions: tuple[Any, ...]) -> Value:
    """The reading of a value that is no model of the contract."""
    kind = schema["type"]
    if kind == "str":
        return _text(schema, definitions)
    if kind == "any":
        return Value(Any)
    if kind in ("enum", "uuid"):
        return Value(str, by_contract(schema, definitions))
    if kind == "function-after":
        return _amount(schema, definitions) or Value(Any, by_contract(schema, definitions))
    if kind == "function-before" and schema["schema"]["type"] in ("date", "datetime"):
        return Value(str, by_contract(schema, definitions))
    return Value(Any, by_contract(schema, definitions))


def by_contract(schema: Schema, definitions: tuple[Any, ...]) -> Read:
    """The validator that pydantic itself has of one value; ValueError for what it refuses."""
    whole: Any = {"type": "definitions", "schema": schema, "definitions": list(definitions)}
    return SchemaValidator(whole if definitions else schema).validate_python


def only(schema: Schema, *known: str) -> None:
    """Refuse a schema with members beyond the known ones, whose meaning would be lost.

    Raises:
        Underivable: with the members that are not known.
    """
    unknown = schema.keys() - SILENT - set(known)
    if unknown:
        raise Underivable(f"{schema['type']} with {', '.join(sorted(unknown))}")


def _text(schema: Schema, definitions: tuple[Any, ...]) -> Value:
    """Text whose only bound is its length (no body that was decoded holds U+0000), or any other."""
    bounds = {name: schema[name] for name in ("min_length", "max_length") if name in schema}
    rest = schema.keys() - SILENT - bounds.keys()
    if (rest == {"pattern"} and schema["pattern"] == NO_NUL) or not rest:
        return Value(Annotated[str, Meta(**bounds)] if bounds else str)
    is_changing = bool(rest - {"pattern"})
    return Value(str, by_contract(schema, definitions), is_changing)


def _amount(schema: Schema, definitions: tuple[Any, ...]) -> Value | None:
    """An amount: digits with a point in a string at once, every other spelling by the contract."""
    inner, after = schema, (abs, plain_number)
    while inner["type"] == "function-after" and inner["function"]["function"] in after:
        inner = inner["schema"]
    if inner["type"] != "function-before" or inner["function"]["function"] is not number:
        return None
    bounds = inner["schema"]
    if bounds["type"] != "decimal" or bounds.get("ge") not in (None, 0):
        return None
    only(bounds, "max_digits", "decimal_places", "ge", "allow_inf_nan")
    places = bounds["decimal_places"]
    whole = bounds["max_digits"] - places
    is_usual = re.compile(rf"\d{{1,{whole}}}(?:\.\d{{1,{places}}})?", re.ASCII).fullmatch
    by_the_contract = by_contract(schema, definitions)

    def read(value: Any) -> Any:
        if type(value) is str and is_usual(value):
            return Decimal(value)
        return by_the_contract(value)

    _prove(read, by_the_contract, whole, places)
    return Value(Any, read)


def _prove(read: Read, by_the_contract: Read, whole: int, places: int) -> None:
    """Compare the two readings of some amounts, so that a changed contract stops the start."""
    longest = f"{'9' * whole}.{'9' * places}"
    for text in ("0", "0.00", "00", "7", "12.9", "12.95", "007.50", longest, longest[:-1] + "0"):
        if repr(read(text)) != repr(by_the_contract(text)):
            raise AssertionError(f"the amount {text!r} is read in another way than by the contract")
