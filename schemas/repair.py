"""Repairs: how a value that the contract's model refuses may still be read, type by type.

A message states facts, and much of it only describes them. A describing value that is not as the
contract has it is read as what it certainly means, or is left out, with a warning; it never costs
the message. `services/runtime/messages/repair.py` applies these repairs to a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, NamedTuple, cast

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from .codes import COUNTRIES, CURRENCIES, country_of

USUAL = "orderflow_usual"
"""Where the core schema of a value has the `usual` of its repair."""


class RepairCode(StrEnum):
    """What was done with a value; a code of a warning in `docs/contract/reasons.md`."""

    VALUE_LEFT_OUT = "value_left_out"
    VALUE_READ_AS = "value_read_as"
    VALUE_DOUBTFUL = "value_doubtful"
    TEXT_CUT = "text_cut"
    LIST_CUT = "list_cut"
    ENTRY_LEFT_OUT = "entry_left_out"
    LINE_LEFT_OUT = "line_left_out"


class Repaired(NamedTuple):
    """What a value is read as. Without a code it is the same value in another spelling."""

    value: Any
    code: RepairCode | None = None
    detail: str = ""


NUMBERS = (str, int, float, Decimal)

_ADJUSTED_MAX = 100
"""Numbers with a larger exponent are not written out."""


class Unrepairable(Exception):
    """The value cannot be read with certainty; the text, if there is one, says what would be."""


class NothingSaid(Exception):
    """The value is one that shop systems write for null."""


class UnwantedEntry(Exception):
    """The value says that the entry of a list it stands in is none; the text says why."""


@dataclass(frozen=True)
class Repair:
    """Annotates a type of the contract with its repair.

    `read` makes the value of one that the model refuses; it raises Unrepairable, NothingSaid or
    UnwantedEntry.
    With `usual`, a pattern that matches whole texts or a collection of texts, `read` also gets the
    values that the model takes and that are not usual.
    """

    read: Callable[[Any], Repaired]
    usual: str | Collection[str] | None = None
    spelled_by: tuple[type, ...] = (str,)
    """Kinds of JSON values that spell the type: one that cannot be read may be left out. Values of
    other kinds are malformed. True and false spell no type."""
    spare: str | None = None
    """The member of the same object that keeps a text that is left out, if it says nothing."""

    def is_usual(self, value: Any) -> bool:
        """Whether a value that the model takes needs no closer look."""
        if self.usual is None or not isinstance(value, str):
            return True
        if isinstance(self.usual, str):
            return re.search(self.usual, value) is not None
        return value in self.usual

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The schema of the type, with `usual` in its metadata for the twins."""
        schema = handler(source)
        if self.usual is None:
            return schema
        metadata = {**schema.get("metadata", {}), USUAL: self.usual}
        return cast("CoreSchema", {**schema, "metadata": metadata})


@dataclass(frozen=True)
class _Fact:
    """Annotates a member that is a fact: it is never left out, and refused if it is wrong."""


FACT = _Fact()


@dataclass(frozen=True)
class _Apart:
    """Annotates a list of facts that stand by themselves: what cannot be read of it is left out."""


APART = _Apart()


def kind_of(value: Any) -> str:
    """Name a value by its kind and size: it may be personal, and so it is not quoted."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return f"a text of {len(value):,} characters"
        case int() | float() | Decimal():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return type(value).__name__


# Texts.


def text_up_to(most: int) -> Repair:
    """Repair a describing text: a number is read as its digits, a long text is cut."""

    def read(value: Any) -> Repaired:
        text = _digits(value)
        if len(text) <= most:
            return Repaired(text)
        detail = f"{kind_of(text)} is cut: the first {most:,} are kept"
        return Repaired(text[:most], RepairCode.TEXT_CUT, detail)

    return Repair(read)


def _digits(value: Any) -> str:
    """A text as it is, a number of JSON as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or len(str(value)) > 64:
        raise Unrepairable
    if isinstance(value, int):
        return str(value)
    # By exponent first: 1e999999999 has a thousand million digits.
    if not value.is_finite() or abs(value.adjusted()) > _ADJUSTED_MAX:
        raise Unrepairable
    return format(value, "f")


def trimmed(value: Any) -> Repaired:
    """Take away the white space around a text."""
    if not isinstance(value, str):
        raise Unrepairable
    return Repaired(value.strip())


def _identifier(value: Any) -> Repaired:
    return Repaired(_digits(value).strip())


def _identifier_or_none(value: Any) -> Repaired:
    """Read an identifier of a shop system, which writes 0 where there is none."""
    found = _identifier(value)
    if found.value == "0":
        raise NothingSaid
    return found


def _email(value: Any) -> Repaired:
    text = trimmed(value).value
    if re.search(EMAIL_USUAL, text):
        return Repaired(text)
    detail = f"{kind_of(text)} is no e-mail address; it is kept as sent"
    return Repaired(value, RepairCode.VALUE_DOUBTFUL, detail)


def _url(value: Any) -> Repaired:
    text = trimmed(value).value
    found = re.sub(r"\s", "%20", f"https:{text}" if text.startswith("//") else text)
    return Repaired(found, RepairCode.VALUE_READ_AS, f"{kind_of(text)} is read as {found[:200]}")


# Codes.


def _country(value: Any) -> Repaired:
    code = country_of(trimmed(value).value)
    if code is None:
        raise Unrepairable("must be a code of ISO 3166-1, like DE, or the name of a country")
    if code == value.strip().upper():
        return Repaired(code)
    return Repaired(code, RepairCode.VALUE_READ_AS, f"{value[:64]!r} is read as {code}")


_CURRENCY_SIGNS = {"€": "EUR", "EURO": "EUR", "£": "GBP", "US$": "USD"}


def _currency(value: Any) -> Repaired:
    text = trimmed(value).value
    code = _CURRENCY_SIGNS.get(text.upper(), text.upper())
    if code in CURRENCIES:
        if code == text.upper():
            return Repaired(code)
        return Repaired(code, RepairCode.VALUE_READ_AS, f"{text!r} is read as {code}")
    if re.fullmatch("[A-Z]{3}", code):
        detail = f"{code} is no currency of ISO 4217; it is kept as sent"
        return Repaired(code, RepairCode.VALUE_DOUBTFUL, detail)
    raise Unrepairable("must be a code of ISO 4217, like EUR")


# Numbers.

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_GROUPED = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+)\.(\d+)", re.ASCII)
_GROUPED_WITH_COMMA = re.compile(r"([+-]?)(\d{1,3}(?:\.\d{3})+),(\d+)", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?\d+,\d{1,2}", re.ASCII)


def _amount(value: Any) -> Repaired:
    """Read a number in a text, if it has one meaning only: `1,234` has two."""
    if not isinstance(value, str) or len(value) > 200:
        raise Unrepairable
    text = value.strip()
    if _PLAIN.fullmatch(text):
        return Repaired(Decimal(text))
    if (parts := _GROUPED.fullmatch(text)) or (parts := _GROUPED_WITH_COMMA.fullmatch(text)):
        plain = f"{parts[1]}{re.sub('[.,]', '', parts[2])}.{parts[3]}"
    elif _WITH_COMMA.fullmatch(text):
        plain = text.replace(",", ".")
    else:
        raise Unrepairable
    return Repaired(Decimal(plain), RepairCode.VALUE_READ_AS, f"{text!r} is read as {plain}")


def _line_quantity(value: Any) -> Repaired:
    """Read a line's quantity: a line of none is no line, a part of a piece is one."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unrepairable
    found = _amount(value).value if isinstance(value, str) else Decimal(value)
    if not found:
        raise UnwantedEntry("a line with the quantity 0 is left out")
    if not found.is_finite() or abs(found.adjusted()) > _ADJUSTED_MAX or found < 0:
        raise Unrepairable
    whole = int(found.to_integral_value(ROUND_CEILING))
    if whole == found:
        return Repaired(whole)
    detail = f"the quantity {found:f} is read as {whole} whole pieces"
    return Repaired(whole, RepairCode.VALUE_READ_AS, detail)


# Times.

_SHOWN = 40


def _timestamp(value: Any) -> Repaired:
    """Read other spellings of a time; without an offset as UTC, a day as its beginning in UTC."""
    found = _moment(trimmed(value).value)
    if found.tzinfo is not None:
        return Repaired(found)
    found = found.replace(tzinfo=UTC)
    detail = f"{value[:_SHOWN]!r} has no offset from UTC; it is read as {found.isoformat()}"
    return Repaired(found, RepairCode.VALUE_READ_AS, detail)


def _local_timestamp(value: Any) -> Repaired:
    """Read other spellings of a time; one without an offset is local, a day its midnight."""
    return Repaired(_moment(trimmed(value).value))


def _day(value: Any) -> Repaired:
    """Read the day that a timestamp is written with."""
    found = _moment(trimmed(value).value).date()
    if value.strip() == found.isoformat():
        return Repaired(found)
    detail = f"{value[:_SHOWN]!r} is read as the day {found.isoformat()}"
    return Repaired(found, RepairCode.VALUE_READ_AS, detail)


_OF_MAIL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d)? (?:[+-]\d{4}|GMT|UTC?)",
    re.ASCII,
)
"""A time as headers of mail and HTTP have it (RFC 5322), as BigCommerce writes it."""


def _moment(text: str) -> datetime:
    try:
        if _OF_MAIL.fullmatch(text):
            return parsedate_to_datetime(text)
        if len(text) == len("2026-03-01"):
            return datetime.combine(date.fromisoformat(text), time())
        return datetime.fromisoformat(text.upper().replace(" +", "+"))
    except ValueError:
        raise Unrepairable from None


# Lists.


def _texts(value: Any) -> Repaired:
    """Read a text as a list: its parts between commas."""
    parts = [part for each in trimmed(value).value.split(",") if (part := each.strip())]
    detail = f"{kind_of(value)} is read as a list of its {len(parts)} parts between commas"
    return Repaired(parts, RepairCode.VALUE_READ_AS, detail)


EMAIL_USUAL = r"\A[^\s@]+@[^\s@]+\Z"
_NO_OUTER_SPACE = r"\A[^\s\x00-\x1f\x7f-\x9f](?:[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?\Z"

AMOUNT = Repair(_amount, spelled_by=NUMBERS)
COUNTRY_CODE = Repair(_country, usual=COUNTRIES, spare="country")
CURRENCY = Repair(_currency, usual=CURRENCIES)
DAY = Repair(_day, spelled_by=NUMBERS)
EMAIL = Repair(_email, usual=EMAIL_USUAL)
IDENTIFIER = Repair(_identifier, usual=_NO_OUTER_SPACE)
IDENTIFIER_OR_NONE = Repair(_identifier_or_none, usual=r"\A(?!0\Z)" + _NO_OUTER_SPACE[2:])
LINE_QUANTITY = Repair(_line_quantity)
LOCAL_TIMESTAMP = Repair(_local_timestamp)
NAME = Repair(trimmed, usual=_NO_OUTER_SPACE)
TEXTS = Repair(_texts)
TIMESTAMP = Repair(_timestamp, spelled_by=NUMBERS)
TRIMMED = Repair(trimmed)
URL = Repair(_url)
