"""Check a tracking number: a text that certainly is none is refused with what it is instead."""

from __future__ import annotations

import re

from services.orders.domain.model.commands import Command, ReportTracking, UpsertOrder
from services.orders.domain.model.joined_numbers import separated, separator_of
from services.orders.domain.model.placeholders import WORDS
from services.orders.domain.model.reasons import CommandRefused, Reason
from services.orders.domain.model.tracking_number import normalise_number, shown_number

NUMBER_MAX = 64
"""Most characters of a tracking number as sent; the usual ones have up to 30."""
_is_ordinary = re.compile(rf"(?!.{{{NUMBER_MAX + 1}}})[0-9A-Za-z]*[1-9][0-9A-Za-z]*").fullmatch
_WAY_OUT = (
    "a tracking number is the carrier's number of one parcel and has a digit other than 0; leave "
    "the tracking out until there is a number."
)


def check_number(text: str, pointer: str) -> None:
    """Check a number that no order has; one that was stored before these rules stays.

    Raises:
        CommandRefused: it has no letter and no digit, is a placeholder, or holds several numbers.
    """
    if _is_ordinary(text):
        return
    number = normalise_number(text)
    if not number:
        raise CommandRefused(
            Reason.TRACKING_NUMBER_EMPTY,
            "The tracking number has no letter and no digit; leave the tracking out until "
            "there is one.",
            pointer,
        )
    found = _placeholder(text, number)
    if found is not None:
        detail = f"{found} is no tracking number: {_WAY_OUT}"
        raise CommandRefused(Reason.TRACKING_NUMBER_PLACEHOLDER, detail, pointer)
    _check_single(text, pointer)
    if len(text) > NUMBER_MAX:
        detail = f"A text of {len(text)} characters is no tracking number: {_WAY_OUT}"
        raise CommandRefused(Reason.TRACKING_NUMBER_PLACEHOLDER, detail, pointer)


def check_numbers(command: Command) -> None:
    """Check the tracking numbers that a command brings, as its decision does.

    Raises:
        CommandRefused: see `check_number`.
    """
    if isinstance(command, ReportTracking):
        check_number(command.tracking_number, "/tracking_number")
    elif isinstance(command, UpsertOrder):
        for index, tracking in enumerate(command.trackings):
            check_number(tracking.tracking_number, f"{tracking.pointer(index)}/tracking_number")


def _placeholder(text: str, number: str) -> str | None:
    """What a text is instead of a tracking number, in words; None where it may be one."""
    if "://" in text or text.strip().casefold().startswith("www."):
        return "A link"
    if "@" in text:
        return "A text with @, such as an e-mail address,"
    if not number.strip("0"):
        return repr(shown_number(text))
    if any(map(str.isdigit, number)):
        return None
    return repr(shown_number(text)) if number in WORDS else "A text without a digit"


def _check_single(text: str, pointer: str) -> None:
    if len(separated(text)) < 2:
        return
    raise CommandRefused(
        Reason.TRACKING_NUMBER_LIST,
        f"The text holds several numbers, or parts of one, separated by {separator_of(text)}; send "
        "one tracking number in a field.",
        pointer,
    )
