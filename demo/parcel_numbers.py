"""Tracking numbers of CSV rows: those that items have, and made-up ones for items without."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from demo.facts import plain_number

Row = Mapping[str, str]
_NUMBER = re.compile("[A-Za-z0-9][A-Za-z0-9 -]{2,63}")


def number_of(item: Row) -> str | None:
    """The tracking number of an item, in its plain form; None where it has none."""
    number = item["tracking_number"]
    is_number = _NUMBER.fullmatch(number) and re.search("[1-9]", number)
    return plain_number(number) if is_number else None


def made_up_number(order: str, seller: str) -> str:
    """A tracking number in the form of the Brazilian post, made from the two ids."""
    digest = hashlib.sha256(f"{order}/{seller}".encode()).hexdigest()
    return f"BR{int(digest[:12], 16) % 10**11:011d}BR"


def shared_numbers(orders: Iterable[tuple[str, Sequence[Row]]]) -> set[str | None]:
    """Tracking numbers that items of several orders have; each order with its items."""
    on: dict[str, set[str]] = defaultdict(set)
    for order, items in orders:
        for number in filter(None, map(number_of, items)):
            on[number].add(order)
    return {number for number, holders in on.items() if len(holders) > 1}
