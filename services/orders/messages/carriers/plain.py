"""Plain values: what the bodies of dialects are, of JSON and of XML, and how parsers read them.

Each function takes any value and none raises: what is not there, or of another kind, is None.
Texts are bounded as those of our own form are, and have no control characters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from schemas.codes import country_of
from services.orders.domain.tracking.scan import Location
from services.runtime.messages.json_codec import pointer_step

WORD, ID, LINE, LONG_LINE, URL = 64, 128, 255, 1024, 2048
"""Most characters of a word, of an id, of a line, of a carrier's text, of a link."""

WRAPPERS = 6
"""Most objects and lists around what is searched by its name."""

_DIGITS_MAX = 40


def member(value: Any, *path: str) -> Any:
    """The value at a path of names; None where there is none."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def spelled(value: Any, *path: str) -> Any:
    """As `member`; a name that is not there is looked up in camel case, as some SDKs write it."""
    for name in path:
        if not isinstance(value, dict):
            return None
        found = value.get(name)
        value = value.get(_in_camel_case(name)) if found is None else found
    return value


@lru_cache(maxsize=1024)
def _in_camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def each(value: Any) -> Iterator[tuple[int, Any]]:
    """The entries of a list with their index, without nulls; of what is no list, itself.

    XML does not say whether an element that stands once is a list.
    """
    if value is None:
        return
    for index, entry in enumerate(value if isinstance(value, list) else [value]):
        if entry is not None:
            yield index, entry


def each_with_pointer(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """As `each`, with the pointer of each entry where the value stands at `pointer`."""
    for index, entry in each(value):
        yield (f"{pointer}/{index}" if isinstance(value, list) else pointer), entry


def each_named(
    value: Any, name: str, pointer: str = "", depth: int = WRAPPERS
) -> Iterator[tuple[str, Any]]:
    """The entries of the members of a name, with their pointers, whatever stands around them.

    Answers of interfaces come in envelopes, and several in a list. A member is not searched within
    one that is found.
    """
    if isinstance(value, list) and depth:
        for index, entry in enumerate(value):
            yield from each_named(entry, name, f"{pointer}/{index}", depth - 1)
    elif isinstance(value, dict) and name in value:
        yield from each_with_pointer(value[name], pointer + pointer_step(name))
    elif isinstance(value, dict) and depth:
        for key, inner in value.items():
            if isinstance(inner, dict | list):
                yield from each_named(inner, name, pointer + pointer_step(key), depth - 1)


def each_having(
    value: Any, names: Collection[str], pointer: str = "", depth: int = WRAPPERS
) -> Iterator[tuple[str, Any]]:
    """The objects that have a member of one of the names, with their pointers.

    As `each_named`, whatever stands around them.
    """
    if isinstance(value, list) and depth:
        for index, entry in enumerate(value):
            yield from each_having(entry, names, f"{pointer}/{index}", depth - 1)
    elif isinstance(value, dict) and any(name in value for name in names):
        yield pointer, value
    elif isinstance(value, dict) and depth:
        for key, inner in value.items():
            if isinstance(inner, dict | list):
                yield from each_having(inner, names, pointer + pointer_step(key), depth - 1)


def listed(value: Any, *path: str) -> Any:
    """The list, or the one entry of XML, at a path of names; None where it is empty or a scalar."""
    found = member(value, *path)
    return found if isinstance(found, list | dict) and found else None


def either(value: Any, *names: str) -> Any:
    """The first of these members that is there and not empty; None where none is."""
    for name in names:
        found = member(value, name)
        if found is not None and found != "":
            return found
    return None


def pointer_of(*path: str) -> str:
    """The JSON pointer of a path of names."""
    return "".join(map(pointer_step, path))


def text(value: Any, most: int = LINE) -> str | None:
    """A text, or a number as its digits, without control characters and outer blanks."""
    if isinstance(value, dict):  # An element of XML with attributes.
        value = value.get("#text")
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    found = value if isinstance(value, str) else _digits(value)
    if not found.isprintable():
        found = "".join(" " if not c.isprintable() else c for c in found[: 2 * most])
    return found.strip()[:most].rstrip() or None


def _digits(value: int | Decimal) -> str:
    """A number as it is written; empty for one that is too long."""
    if isinstance(value, int):
        is_short = abs(value) < 10**_DIGITS_MAX
    else:
        is_short = value.is_finite() and abs(value.adjusted()) < _DIGITS_MAX
    return format(value, "f" if isinstance(value, Decimal) else "d") if is_short else ""


def link(value: Any) -> str | None:
    """A link of http or https."""
    found = text(value, URL + 1)
    if found is None or len(found) > URL or any(map(str.isspace, found)):
        return None
    return found if found.lower().startswith(("http://", "https://")) else None


def carrier_key(value: Any) -> str | None:
    """A carrier's key in lower case: letters, digits and `. _ -`, other characters left out."""
    found = text(value, WORD)
    if found is None:
        return None
    kept = "".join(c for c in found.lower() if c.isascii() and (c.isalnum() or c in "._-"))
    return kept.lstrip("._-") or None


def degrees(value: Any, most: int) -> str | None:
    """Degrees of latitude or longitude, as they were written."""
    found = text(value, _DIGITS_MAX)
    try:
        number = Decimal(found or "")
    except ArithmeticError:
        return None
    return format(number, "f") if number.is_finite() and abs(number) <= most else None


def location(
    *,
    city: Any = None,
    postal_code: Any = None,
    province: Any = None,
    country: Any = None,
    latitude: Any = None,
    longitude: Any = None,
) -> Location | None:
    """A place; None where nothing of it is said. A country is a code or a name."""
    north, east = degrees(latitude, 90), degrees(longitude, 180)
    has_both = north is not None and east is not None
    named = text(country)
    found = Location(
        city=text(city),
        postal_code=text(postal_code, WORD),
        province=text(province),
        country_code=country_of(named) if named else None,
        latitude=north if has_both else None,
        longitude=east if has_both else None,
    )
    return found if found != _NOWHERE else None


_NOWHERE = Location()
