"""What the synthetic shop is made of: destinations, carriers and goods."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A destination; `zone` is its IANA time zone, in which delivery days are counted."""

    city: str
    zip_code: str
    province_code: str | None
    country_code: str
    zone: str
    currency: str = "EUR"


PLACES = (
    Place("Berlin", "10115", "BE", "DE", "Europe/Berlin"),
    Place("Hamburg", "20095", "HH", "DE", "Europe/Berlin"),
    Place("Wien", "1010", None, "AT", "Europe/Vienna"),
    Place("Lyon", "69001", None, "FR", "Europe/Paris"),
    Place("Lisboa", "1100-148", None, "PT", "Europe/Lisbon"),
    Place("New York", "10001", "NY", "US", "America/New_York", "USD"),
    Place("San Francisco", "94103", "CA", "US", "America/Los_Angeles", "USD"),
)

CATALOGUE = (
    ("MUG-BLUE", "Blue mug", "12.95"),
    ("MUG-RED", "Red mug", "12.95"),
    ("TEAPOT", "Teapot for two", "34.50"),
    ("LAMP-DESK", "Desk lamp", "59.00"),
    ("BLANKET", "Wool blanket", "89.90"),
    ("CANDLE", "Beeswax candle", "7.40"),
    ("VASE", "Glass vase", "24.00"),
)


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


# Numbers in the form of each carrier, spaces and lower case included: the same number all the same.
CARRIER_NUMBERS: dict[str, Callable[[random.Random], str]] = {
    "dhl": lambda rng: f"0034{_digits(rng, 16)}",
    "dpd": lambda rng: f"0{_digits(rng, 13)}",
    "gls": lambda rng: f"Z{_digits(rng, 10)}",
    "ups": lambda rng: f"1Z{_digits(rng, 16)}",
    "usps": lambda rng: f"94{_digits(rng, 20)}",
}
