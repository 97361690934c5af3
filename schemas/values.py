"""The values messages are made of: text, money, counts, times and codes, each with its bounds.

Everything a sender may write is bounded here, so that what passes can be stored and sent on.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticKnownError

from . import patterns, repair
from .model import refused

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
BOUNDS = "between 1970-01-01 and 2100-01-01"

AMOUNT_WHOLE_DIGITS = 10
AMOUNT_PLACES = 100
AMOUNT_LEAST_EXPONENT = -6
"""Amounts other than 0 are at least 0.000001: smaller ones would be written with an exponent."""
AMOUNT_USUAL_PLACES = -AMOUNT_LEAST_EXPONENT
"""Amounts with more decimal places than this are not usual."""
_RELEASED_PLACES = 4

_RFC3339 = re.compile(
    r"(\d{4})-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_CALENDAR_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DECIMAL = re.compile(rf"-?\d{{1,30}}(?:\.\d{{1,{AMOUNT_PLACES}}})?", re.ASCII)
_INTEGER_DIGITS_MAX = 18


def moment(value: Any) -> datetime:
    """Read an RFC 3339 timestamp, offset optional; numbers are refused, their unit is a guess."""
    if isinstance(value, datetime):
        found = value
    else:
        match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            message = "must be an RFC 3339 timestamp in a string, like 2026-03-01T09:30:00+01:00"
            raise refused(message)
        if not "1970" <= match[1] <= "2100":
            raise refused(f"must be {BOUNDS}")
        try:
            found = datetime.fromisoformat(value.replace("z", "Z"))
        except ValueError as error:
            raise refused(f"is not a moment that exists: {error}") from None
    if EARLIEST.year < found.year < LATEST.year - 1:
        return found  # Whatever its offset: that is less than a day.
    if not EARLIEST.year <= found.year <= LATEST.year:
        raise refused(f"must be {BOUNDS}")
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not EARLIEST <= aware <= LATEST:
        raise refused(f"must be {BOUNDS}")
    return found


def timestamp(value: Any) -> datetime:
    """Read an RFC 3339 timestamp with its offset."""
    found = moment(value)
    if found.tzinfo is None:
        raise refused("must end in an offset from UTC, like +01:00 or Z")
    return found


def calendar_date(value: Any) -> date:
    """Read a day, without a time."""
    if isinstance(value, date) and not isinstance(value, datetime):
        found = value
    else:
        if not isinstance(value, str) or not _CALENDAR_DATE.fullmatch(value):
            raise refused("must be a calendar date in a string, like 2026-03-01")
        try:
            found = date.fromisoformat(value)
        except ValueError as error:
            raise refused(f"is not a day that exists: {error}") from None
    if not EARLIEST.date() <= found <= LATEST.date():
        raise refused(f"must be {BOUNDS}")
    return found


def day_or_moment(value: Any) -> date | datetime:
    """Read a day, or else a timestamp with its offset."""
    if isinstance(value, str) and _CALENDAR_DATE.fullmatch(value):
        return calendar_date(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return calendar_date(value)
    return timestamp(value)


def number(value: Any) -> Any:
    """Refuse what Python would take for a number: true, "1_000", digits of other scripts.

    An amount is bounded in size and kept with all its decimal places.
    """
    if isinstance(value, bool):
        raise refused("must be a number, not true or false")
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            raise refused('must be a number, or a number in a string like "12.90"')
        value = Decimal(value)
    # By exponent: arithmetic on 1e999999999 would raise.
    if isinstance(value, Decimal) and value and value.is_finite():
        _check_size(value)
    if isinstance(value, int) and abs(value) >= 10**AMOUNT_WHOLE_DIGITS:
        raise refused(_TOO_LARGE)
    return value


_TOO_LARGE = f"is too large: at most {AMOUNT_WHOLE_DIGITS} digits before the point"


def _check_size(value: Decimal) -> None:
    if value.adjusted() >= AMOUNT_WHOLE_DIGITS:
        raise refused(_TOO_LARGE)
    if value.adjusted() < AMOUNT_LEAST_EXPONENT:
        raise refused("is too small: 0, or at least 0.000001")
    if len(value.as_tuple().digits) > AMOUNT_WHOLE_DIGITS + AMOUNT_PLACES:
        raise refused(f"is too long: at most {AMOUNT_PLACES} digits after the point")


def plain_number(value: Decimal) -> Decimal:
    """Write 1E+2 as 100 and 0E-900 as 0.000000: the same amount, in a form any store can hold."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return value.quantize(Decimal(1))
    if value:
        return value
    return Decimal(0).scaleb(max(int(exponent), AMOUNT_LEAST_EXPONENT))


def size_of(value: Decimal) -> Decimal:
    """The amount without its sign, with all its digits: `abs` would round."""
    return value.copy_abs()


def whole_number(value: Any) -> Any:
    """Refuse true, and what pydantic would write out to the last digit (1e999999999, 1e-99999999).

    So every number with a point or an exponent is judged here, by its exponent first.
    """
    if isinstance(value, bool):
        raise refused("must be a whole number, not true or false")
    if isinstance(value, Decimal):
        if not value.is_finite() or value.adjusted() > _INTEGER_DIGITS_MAX:
            raise refused("is too large a number")
        if value and (value.adjusted() < 0 or value != value.to_integral_value()):
            raise PydanticKnownError("int_from_float")
        return int(value)
    return value


def _real_number(value: Any) -> Any:
    if isinstance(value, bool):
        raise refused("must be a number, not true or false")
    return value


Word = Annotated[
    str, StringConstraints(max_length=64, pattern=patterns.NO_NUL), repair.text_up_to(64)
]
Line = Annotated[
    str, StringConstraints(max_length=255, pattern=patterns.NO_NUL), repair.text_up_to(255)
]
LongLine = Annotated[
    str, StringConstraints(max_length=1024, pattern=patterns.NO_NUL), repair.text_up_to(1024)
]
Paragraph = Annotated[
    str, StringConstraints(max_length=4000, pattern=patterns.NO_NUL), repair.text_up_to(4000)
]
EmailAddress = Annotated[
    str, StringConstraints(max_length=255, pattern=patterns.NO_NUL), repair.EMAIL
]
Url = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=patterns.URL),
    repair.URL,
]

ShopSlug = Annotated[str, StringConstraints(max_length=64, pattern=patterns.SHOP_SLUG)]
OrderNumber = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=patterns.ORDER_NUMBER),
    repair.TRIMMED,
]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=patterns.PRINTABLE), repair.NAME
]
"""The name of something that a message is about; only a text is one."""
Reference = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=patterns.PRINTABLE),
    repair.IDENTIFIER,
]
ReferenceOrNone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=patterns.PRINTABLE),
    repair.IDENTIFIER_OR_NONE,
]
"""An id in the shop's system, which writes 0 where there is none."""
TrackingNumber = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=patterns.TRACKING_NUMBER)
]
# A number has at most 64 characters. In its place senders also write links, and several numbers in
# one field: the services split these, or refuse them with what they are.
TrackingNumberField = Annotated[
    str, StringConstraints(min_length=1, max_length=512, pattern=patterns.TRACKING_NUMBER)
]
CarrierReference = Annotated[
    str,
    StringConstraints(max_length=64, to_lower=True, pattern=patterns.CARRIER_REFERENCE),
    repair.TRIMMED,
]
Currency = Annotated[
    str, StringConstraints(to_upper=True, pattern=patterns.CURRENCY), repair.CURRENCY
]
CountryCode = Annotated[
    str, StringConstraints(to_upper=True, pattern=patterns.COUNTRY_CODE), repair.COUNTRY_CODE
]

_DATE_TIME_SCHEMA = {"type": "string", "format": "date-time"}
_DATE_SCHEMA = {"type": "string", "format": "date"}

Timestamp = Annotated[
    datetime,
    BeforeValidator(timestamp),
    WithJsonSchema(_DATE_TIME_SCHEMA),
    repair.TIMESTAMP,
]
LocalOrTimestamp = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d"}),
    repair.LOCAL_TIMESTAMP,
]
CalendarDate = Annotated[
    date, BeforeValidator(calendar_date), WithJsonSchema(_DATE_SCHEMA), repair.DAY
]
DayOrTimestamp = Annotated[
    date | datetime,
    BeforeValidator(day_or_moment),
    PlainSerializer(lambda value: value.isoformat(), return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [_DATE_SCHEMA, _DATE_TIME_SCHEMA]}),
]


def _amount_schema(*, signed: bool) -> dict[str, Any]:
    limit = 10**AMOUNT_WHOLE_DIGITS
    number = {"type": "number", "exclusiveMaximum": limit, "minimum": -limit if signed else 0}
    sign = "-?" if signed else ""
    # The pattern of release 1 stands first for the gate.
    whole = rf"{sign}\d{{1,{AMOUNT_WHOLE_DIGITS}}}"
    released = rf"^{whole}(?:\.\d{{1,{_RELEASED_PLACES}}}0*)?$"
    pattern = rf"{released}|^{whole}\.\d{{1,{AMOUNT_PLACES}}}$"
    return {"anyOf": [number, {"type": "string", "pattern": pattern}]}


Money = Annotated[
    Decimal,
    Field(ge=0, allow_inf_nan=False),
    BeforeValidator(number),
    AfterValidator(plain_number),
    WithJsonSchema(_amount_schema(signed=False)),
    repair.AMOUNT,
]
SignedMoney = Annotated[
    Decimal,
    Field(allow_inf_nan=False),
    BeforeValidator(number),
    AfterValidator(plain_number),
    WithJsonSchema(_amount_schema(signed=True)),
    repair.AMOUNT,
]
# Some shops write a discount as a negative amount; what is taken off is the same.
AbsoluteMoney = Annotated[SignedMoney, AfterValidator(size_of)]
Weight = Money
TaxRate = SignedMoney

WholeNumber = Annotated[int, BeforeValidator(whole_number)]
Quantity = Annotated[int, Field(ge=1, le=100_000), BeforeValidator(whole_number)]
LineQuantity = Annotated[Quantity, repair.LINE_QUANTITY]
# None, and more than 100, are refused by a rule with a reason code of its own, not as malformed.
ShipmentCount = Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(whole_number)]
SourceVersion = Annotated[
    int, Field(ge=0, le=9_223_372_036_854_775_807), BeforeValidator(whole_number)
]
Attempt = Annotated[int, Field(ge=0, le=100), BeforeValidator(whole_number)]
Latitude = Annotated[
    float, Field(ge=-90, le=90, allow_inf_nan=False), BeforeValidator(_real_number)
]
Longitude = Annotated[
    float, Field(ge=-180, le=180, allow_inf_nan=False), BeforeValidator(_real_number)
]
