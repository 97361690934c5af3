"""Values that no fact can hold are refused here, with the place of the value in the message."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from services.runtime.messages.records import FieldError, Malformed

YEARS = range(1900, 2200)
VERSION_MAX = 2**62
PARCELS_MAX = 1_000_000
MONEY_MAX = Decimal(10) ** 18
MONEY_STEP = Decimal("0.0001")


def out_of_bounds(pointer: str, message: str) -> Malformed:
    """The error for a value that is out of its bounds."""
    return Malformed("invalid_fields", [FieldError(pointer, message)])


def check_instants(pointer: str, *instants: datetime | None) -> None:
    """Check that days can be made of instants, in any time zone.

    Raises:
        Malformed: one is not in the years from 1900 to 2199.
    """
    for instant in instants:
        if instant is not None and instant.year not in YEARS:
            raise out_of_bounds(pointer, f"{instant} is not in {YEARS.start} to {YEARS[-1]}")


def version_of(pointer: str, version: int | None) -> int:
    """The number of an event.

    Raises:
        Malformed: there is none, or it is not from 1 to 2^62.
    """
    if version is None or not 0 < version <= VERSION_MAX:
        raise out_of_bounds(pointer, "must be a number from 1: newer and older are known by it")
    return version


def amount_of(pointer: str, amount: Decimal | None, what: str) -> Decimal | None:
    """An amount rounded to four places, half to even; `what` names it in the error.

    Raises:
        Malformed: it is 10^18 or more.
    """
    if amount is None:
        return None
    try:
        if amount.is_finite() and abs(amount) < MONEY_MAX:
            return amount.quantize(MONEY_STEP)
    except ArithmeticError:  # Raised by a number too large to compare.
        pass
    raise out_of_bounds(pointer, f"{what} must be less than {MONEY_MAX:f}")
