"""How a twin reads one value: by msgspec alone, or by pydantic's validator of the value.

A value is described by its pydantic core schema. msgspec reads values whose checks are the same in
msgspec and pydantic. pydantic's validator reads all others (0.06 to 0.2 us), so they cannot differ.
Amounts of money and times are exceptions: pydantic takes 1.3 us for an amount, a regular expression
with `Decimal` 0.15 us, and each line of an order has three amounts, each scan two times. The
generated source reads their usual spellings itself. If pydantic accepts several spellings of a
value (a count as 1 or 1.0), the twin may accept only one; the model reads the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, Any

from msgspec import Meta
from pydantic_core import SchemaValidator

from schemas.patterns import NO_NUL
from schemas.values import (
    AMOUNT_USUAL_PLACES,
    AMOUNT_WHOLE_DIGITS,
    calendar_date,
    day_or_moment,
    moment,
    number,
    plain_number,
    size_of,
    timestamp,
    whole_number,
)

Schema = Mapping[str, Any]
Read = Callable[[Any], Any]

AMOUNTS_KEPT = 2048

# Members of a schema that do not change what is accepted.
NEUTRAL = frozenset({"type", "metadata", "ref", "serialization"})


class Underivable(Exception):
    """No twin can be derived from a part of the contract, so pydantic must read it."""


@dataclass(frozen=True, slots=True)
class ValueReading:
    """How one value is read.

    `type` is the type that msgspec converts to. `read` makes the final value of the converted one;
    None if that is final. Without `is_changing`, `read` only checks, or changes the value in place.
    With `is_list` the type is a tuple, and `read` takes one of its items. `usual` is the source of
    a conditional expression without `else` that reads `value` in its usual spelling; `names` are
    the objects it refers to. `{name}` in both is replaced by the member's name.
    """

    type: Any
    read: Read | None = None
    is_changing: bool = True
    is_list: bool = False
    usual: str = ""
    names: Mapping[str, Any] = field(default_factory=dict)


def value_of(schema: Schema, definitions: tuple[Any, ...], *, least: int = 0) -> ValueReading:
    """Choose how to read a value that is not a model of the contract.

    Texts of fewer than `least` characters are refused.
    """
    kind = schema["type"]
    if kind == "str":
        return _text(schema, definitions, least)
    if kind == "any":
        return ValueReading(Any)
    if kind == "bool" and not schema.keys() - NEUTRAL:
        return ValueReading(bool)  # pydantic also accepts other spellings; the model reads those.
    if kind == "dict" and _is_free(schema):
        return ValueReading(dict[str, Any])
    if kind in ("enum", "uuid"):
        return ValueReading(_text_of(least), pydantic_reader(schema, definitions))
    if kind == "function-after":
        return _amount(schema, definitions) or ValueReading(
            Any, pydantic_reader(schema, definitions)
        )
    if kind == "function-before" and schema["function"]["function"] in _TIMES:
        return _time(schema, definitions)
    if kind == "function-before" and schema["schema"]["type"] in ("date", "datetime"):
        return ValueReading(str, pydantic_reader(schema, definitions))
    if kind == "function-before" and schema["function"]["function"] is whole_number:
        return _whole(schema["schema"]) or ValueReading(Any, pydantic_reader(schema, definitions))
    return ValueReading(Any, pydantic_reader(schema, definitions))


def pydantic_reader(schema: Schema, definitions: tuple[Any, ...]) -> Read:
    """Make pydantic's validator of one value; it raises ValueError for what it refuses."""
    whole: Any = {"type": "definitions", "schema": schema, "definitions": list(definitions)}
    return SchemaValidator(whole if definitions else schema).validate_python


def require_only(schema: Schema, *known: str) -> None:
    """Check that a schema has no members but the known ones; others would be ignored.

    Raises:
        Underivable: the schema has other members, which the text names.
    """
    unknown = schema.keys() - NEUTRAL - set(known)
    if unknown:
        raise Underivable(f"{schema['type']} with {', '.join(sorted(unknown))}")


def _whole(schema: Schema) -> ValueReading | None:
    """Read a whole number within bounds by msgspec; the model reads other spellings."""
    bounds = {name: schema[name] for name in ("ge", "le") if name in schema}
    if schema["type"] != "int" or schema.keys() - NEUTRAL - bounds.keys():
        return None
    return ValueReading(Annotated[int, Meta(**bounds)] if bounds else int)


def _is_free(schema: Schema) -> bool:
    """Whether the schema is an object with any members."""
    keys, values = schema.get("keys_schema", {}), schema.get("values_schema", {"type": "any"})
    bounds = schema.keys() - NEUTRAL - {"keys_schema", "values_schema"}
    is_plain = keys.get("type") == "str" and not keys.keys() - NEUTRAL
    return is_plain and values["type"] == "any" and not bounds


def usual_text(schema: Schema, usual: str | Collection[str]) -> ValueReading:
    """Read a text that is usual for its type (`schemas/repair.py`), and refuse any other.

    A usual text of at most `max_length` characters is one that pydantic takes as it is.
    """
    if isinstance(usual, str):
        bounds = {"max_length": schema["max_length"]} if "max_length" in schema else {}
        return ValueReading(Annotated[str, Meta(pattern=usual, **bounds)])
    names = {"usual_{name}": usual}
    return ValueReading(
        Any, _refuse, usual="value if type(value) is str and value in usual_{name}", names=names
    )


def _refuse(value: Any) -> Any:
    raise ValueError(f"not a usual value: {value!r}")


def _text(schema: Schema, definitions: tuple[Any, ...], least: int) -> ValueReading:
    """Read text bounded by its length alone by msgspec (decoded bodies hold no U+0000)."""
    bounds = {name: schema[name] for name in ("min_length", "max_length") if name in schema}
    rest = schema.keys() - NEUTRAL - bounds.keys()
    if least > bounds.get("min_length", 0):
        bounds["min_length"] = least
    if (rest == {"pattern"} and schema["pattern"] == NO_NUL) or not rest:
        return ValueReading(Annotated[str, Meta(**bounds)] if bounds else str)
    is_changing = bool(rest - {"pattern"})
    return ValueReading(_text_of(least), pydantic_reader(schema, definitions), is_changing)


def _text_of(least: int) -> Any:
    return Annotated[str, Meta(min_length=least)] if least else str


def _amount(schema: Schema, definitions: tuple[Any, ...]) -> ValueReading | None:
    """Read an amount written as digits with a point directly, other spellings by pydantic."""
    inner, after = schema, (size_of, plain_number)
    while inner["type"] == "function-after" and inner["function"]["function"] in after:
        inner = inner["schema"]
    if inner["type"] != "function-before" or inner["function"]["function"] is not number:
        return None
    bounds = inner["schema"]
    if bounds["type"] != "decimal" or bounds.get("ge") not in (None, 0):
        return None
    require_only(bounds, "ge", "allow_inf_nan")
    whole, places = AMOUNT_WHOLE_DIGITS, AMOUNT_USUAL_PLACES
    by_pydantic = pydantic_reader(schema, definitions)
    _check_equal(Decimal, by_pydantic, _amounts(whole, places))
    # At most the length of an amount, so that the cache stays small.
    is_short = f"type(value) is str and len(value) <= {whole + 1 + places}"
    usual = f"found if {is_short} and (found := amount_{{name}}(value)) is not None"
    names = {"amount_{name}": _reader_of_amounts(whole, places)}
    return ValueReading(Any, by_pydantic, usual=usual, names=names)


@cache
def _reader_of_amounts(whole: int, places: int) -> Callable[[str], Decimal | None]:
    """Make a function that reads an amount of digits with a point; None for other spellings.

    The function caches amounts: prices and tax rates are the same in many orders, and one value of
    104 bytes serves them all.
    """
    is_usual = re.compile(rf"\d{{1,{whole}}}(?:\.\d{{1,{places}}})?", re.ASCII).fullmatch

    @lru_cache(maxsize=AMOUNTS_KEPT)
    def read(text: str) -> Decimal | None:
        return Decimal(text) if is_usual(text) else None

    return read


def _amounts(whole: int, places: int) -> tuple[str, ...]:
    longest = f"{'9' * whole}.{'9' * places}"
    return ("0", "0.00", "00", "7", "12.9", "12.95", "007.50", longest, longest[:-1] + "0")


# Years within the contract's bounds at any offset.
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
"""The contract's functions that read times, and whether the usual spelling is a day."""


def _time(schema: Schema, definitions: tuple[Any, ...]) -> ValueReading:
    """Read a day, or a time with its offset, directly; other spellings by pydantic."""
    by_pydantic = pydantic_reader(schema, definitions)
    if _TIMES[schema["function"]["function"]]:
        read, is_usual = date.fromisoformat, _is_day
        _check_equal(read, by_pydantic, ("1980-01-01", "2024-02-29", "2089-12-31"))
    else:
        read, is_usual = datetime.fromisoformat, _is_moment
        _check_equal(read, by_pydantic, _moments())
    usual = "from_iso_{name}(value) if type(value) is str and is_usual_{name}(value)"
    names = {"from_iso_{name}": read, "is_usual_{name}": is_usual}
    return ValueReading(Any, by_pydantic, usual=usual, names=names)


def _moments() -> Iterator[str]:
    for day in ("1980-01-01T00:00:00", "2024-02-29T09:30:00.5", "2089-12-31T23:59:59.123456"):
        yield from (day + offset for offset in ("Z", "+00:00", "+05:30", "-23:59"))


def _check_equal(read: Read, by_pydantic: Read, written: Iterable[Any]) -> None:
    """Compare two readings of some values at import, so that a changed contract is noticed."""
    for each in written:
        if repr(read(each)) != repr(by_pydantic(each)):
            raise AssertionError(
                f"{each!r} is not read as by pydantic: see services/runtime/twins/values.py"
            )
