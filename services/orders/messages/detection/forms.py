"""Forms of tracking numbers: `forms.csv` and `post_offices.csv`, read when first needed.

Columns of `forms.csv`: `carrier`, our key; `name`, in words; `pattern` of the whole normalised
number; `check`, a check digit of `check_digits.py`, or `library:` and a form of the package
`tracking-numbers`, which the number must have as well; `confidence` where the check digit is right
or there is none; `countries` in which the carrier delivers numbers of this form, empty where the
country says nothing; `source`, the page that documents the form.

Columns of `post_offices.csv`: `country` that issued a number of UPU S10, `services`, a pattern of
the two letters before its digits, `carrier`, our key, and `source`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct
from tracking_numbers.definition import TrackingNumberDefinition

from services.orders.messages.detection.check_digits import CHECK_DIGITS
from services.orders.messages.detection.package_forms import DEFINITIONS_BY_NAME

FOLDER = Path(__file__).parent
LIBRARY = "library:"
CONFIDENCES = ("high", "medium", "low")
_S10 = DEFINITIONS_BY_NAME["S10"]


class Form(Struct, frozen=True):
    """How numbers of one carrier look. `check` is a name of `CHECK_DIGITS`, or None."""

    carrier: str
    name: str
    pattern: re.Pattern[str]
    check: str | None
    definition: TrackingNumberDefinition | None
    confidence: str
    countries: frozenset[str]
    source: str


@cache
def all_forms() -> tuple[Form, ...]:
    """Every form, those of the files in their order.

    Raises:
        ValueError: a row is not complete, or names what does not exist.
    """
    forms = [_form(row) for row in _rows("forms.csv")]
    posts = [_post_office(row) for row in _rows("post_offices.csv")]
    return (*forms, *posts)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _form(row: dict[str, str]) -> Form:
    check, is_package = row["check"] or None, row["check"].startswith(LIBRARY)
    definition = DEFINITIONS_BY_NAME.get(row["check"].removeprefix(LIBRARY)) if is_package else None
    known = definition is not None if is_package else check is None or check in CHECK_DIGITS
    if not known or row["confidence"] not in CONFIDENCES or not (row["carrier"] and row["source"]):
        raise ValueError(f"forms.csv: {row} needs carrier, source, a known check and confidence")
    return Form(
        carrier=row["carrier"],
        name=row["name"],
        pattern=re.compile(row["pattern"]),
        check=None if is_package else check,
        definition=definition,
        confidence=row["confidence"],
        countries=frozenset(filter(None, row["countries"].split("|"))),
        source=row["source"],
    )


def _post_office(row: dict[str, str]) -> Form:
    return Form(
        carrier=row["carrier"],
        name=f"UPU S10, issued by {row['country']}",
        pattern=re.compile(f"{row['services']}[0-9]{{9}}{row['country']}"),
        check=None,
        definition=_S10,
        confidence="high",
        countries=frozenset(),
        source=row["source"],
    )


def forms_of(number: str) -> Sequence[Form]:
    """The forms whose pattern the whole number has."""
    return [form for form in all_forms() if form.pattern.fullmatch(number)]
