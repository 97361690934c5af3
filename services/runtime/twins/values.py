"""How a twin reads one value: by msgspec alone, or with a function of the contract's own.

A value is described by its pydantic core schema. What msgspec's types hold to in the same way as
pydantic is left to msgspec. All else is read by pydantic's own validator of that value (0.06 to
0.2 us), so it cannot differ. Amounts of money and times are the exceptions: pydantic takes 1.3 us
for an amount, a regular expression with `Decimal` 0.15 us. Their usual spellings are read in the
generated source itself: each line of an order has three amounts, each scan two times. A value that
pydantic takes in several spellings (a count as 1 or 1.0) may have one of them in the twin: the
model reads the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, Any

from msgspec import Meta
from pydantic_core import SchemaValidator

from schemas.values import (
    NO_NUL,
    calendar_date,
    day_or_moment,
    moment,
    number,
    plain_number,
    timestamp,
    whole_number,
)

Schema = Mapping[str, Any]
Read = Callable[[Any], Any]

AMOUNTS_KEPT = 2048

# Members of a schema that do not change what is accepted.
SILENT = frozenset({"type", "metadata", "ref", "serialization"})


class Underivable(Exception):
    """A part of the contract that no twin can be derived from; pydantic must read it."""


@dataclass(frozen=True, slots=True)
class Value:
    """How one value is read.

    `type` is what msgspec converts to. `read` takes the converted value and gives the final one;
    None where msgspec's is final. Without `is_changing`, `read` only checks, or works in place.
    With `is_list` the type is a tuple, and `read` takes one of its items. `usual` is the source of
    a conditional expression without its `else`: what a usual `value` is read as. `{name}` in it
    becomes the member's name, in `names` as well, which are what the expression refers to.
    """

    type: Any
    read: Read | None = None
    is_changing: bool = True
    is_list: bool = False
    usual: str = ""
    names: Mapping[str, Any] = field(default_factory=dict)


def value_of(schema: Schema, definitions: tuple[Any, ...]) -> Value:
    """The reading of a value that is no model of the contract."""
    kind = schema["type"]
    if kind == "str":
        return _text(schema, definitions)
    if kind == "any":
        return Value(Any)
    if kind == "bool" and not schema.keys() - SILENT:
        return Value(bool)  # pydantic takes more than true and false: those the model reads.
    if kind == "dict" and _is_free(schema):
        return Value(dict[str, Any])
    if kind in ("enum", "uuid"):
        return Value(str, by_contract(schema, definitions))
    if kind == "function-after":
        return _amount(schema, definitions) or Value(Any, by_contract(schema, definitions))
    if kind == "function-before" and schema["function"]["function"] in _TIMES:
        return _time(schema, definitions)
    if kind == "function-before" and schema["schema"]["type"] in ("date", "datetime"):
        return Value(str, by_contract(schema, definitions))
    if kind == "function-before" and schema["function"]["function"] is whole_number:
        return _whole(schema["schema"]) or Value(Any, by_contract(schema, definitions))
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


def _whole(schema: Schema) -> Value | None:
    """A whole number within bounds; every other spelling of one is read by the model."""
    bounds = {name: schema[name] for name in ("ge", "le") if name in schema}
    if schema["type"] != "int" or schema.keys() - SILENT - bounds.keys():
        return None
    return Value(Annotated[int, Meta(**bounds)] if bounds else int)


def _is_free(schema: Schema) -> bool:
    """An object with any members."""
    keys, values = schema.get("keys_schema", {}), schema.get("values_schema", {"type": "any"})
    bounds = schema.keys() - SILENT - {"keys_schema", "values_schema"}
    is_plain = keys.get("type") == "str" and not keys.keys() - SILENT
    return is_plain and values["type"] == "any" and not bounds


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
    by_the_contract = by_contract(schema, definitions)
    _prove(Decimal, by_the_contract, _amounts(whole, places))
    # No longer than amounts are, so that what is remembered stays small.
    is_short = f"type(value) is str and len(value) <= {whole + 1 + places}"
    usual = f"found if {is_short} and (found := amount_{{name}}(value)) is not None"
    names = {"amount_{name}": _reader_of_amounts(whole, places)}
    return Value(Any, by_the_contract, usual=usual, names=names)


@cache
def _reader_of_amounts(whole: int, places: int) -> Callable[[str], Decimal | None]:
    """Reads an amount of digits with a point; None for every other spelling.

    It remembers amounts: prices and tax rates stand in many orders, and one value of 104 bytes
    serves them all.
    """
    is_usual = re.compile(rf"\d{{1,{whole}}}(?:\.\d{{1,{places}}})?", re.ASCII).fullmatch

    @lru_cache(maxsize=AMOUNTS_KEPT)
    def read(text: str) -> Decimal | None:
        return Decimal(text) if is_usual(text) else None

    return read


def _amounts(whole: int, places: int) -> tuple[str, ...]:
    longest = f"{'9' * whole}.{'9' * places}"
    return ("0", "0.00", "00", "7", "12.9", "12.95", "007.50", longest, longest[:-1] + "0")


# Years well within the contract's bounds, so that no offset leads out of them.
_DAY = r"(?:19[89]\d|20[0-8]\d)-\d\d-\d\d"
_MOMENT = _DAY + r"T(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)"
_is_day = re.compile(_DAY, re.ASCII).fullmatch
_is_moment = re.compile(_MOMENT, re.ASCII).fullmatch
_TIMES: Mapping[Any, bool] = {
    timestamp: False,
    moment: False,
    calendar_date: True,
    day_or_moment: True,
}
"""The contract's functions that read times, and whether what they read is most often a day."""


def _time(schema: Schema, definitions: tuple[Any, ...]) -> Value:
    """A day or a moment with its offset at once, every other spelling by the contract."""
    by_the_contract = by_contract(schema, definitions)
    if _TIMES[schema["function"]["function"]]:
        read, is_usual = date.fromisoformat, _is_day
        _prove(read, by_the_contract, ("1980-01-01", "2024-02-29", "2089-12-31"))
    else:
        read, is_usual = datetime.fromisoformat, _is_moment
        _prove(read, by_the_contract, _moments())
    usual = "from_iso_{name}(value) if type(value) is str and is_usual_{name}(value)"
    names = {"from_iso_{name}": read, "is_usual_{name}": is_usual}
    return Value(Any, by_the_contract, usual=usual, names=names)


def _moments() -> Iterator[str]:
    for day in ("1980-01-01T00:00:00", "2024-02-29T09:30:00.5", "2089-12-31T23:59:59.123456"):
        yield from (day + offset for offset in ("Z", "+00:00", "+05:30", "-23:59"))


def _prove(read: Read, by_the_contract: Read, written: Iterable[Any]) -> None:
    """Compare two readings of some values, so that a changed contract stops the start."""
    for each in written:
        if repr(read(each)) != repr(by_the_contract(each)):
            raise AssertionError(f"{each!r} is read in another way than by the contract")
