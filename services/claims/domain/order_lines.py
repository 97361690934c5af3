"""Lines of an order, found by any name: goods are named earlier or elsewhere than the line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from services.claims.domain.goods import IDENTIFIERS, identifier, key_of
from services.claims.domain.order_copy import Product


class OrderLines(Struct, frozen=True):
    """The lines of an order and the parts of its bundles, by position."""

    products: tuple[Product, ...]
    """Bundles first, then the other lines, then parts with the quantity in all bundles."""
    keys: tuple[str | None, ...]
    named: Mapping[tuple[str, str], Sequence[int]]
    """The positions that each identifier names."""

    @classmethod
    def of(cls, ordered: Iterable[Product]) -> OrderLines:
        """The lines in `ordered`, and the parts of them."""
        whole = sorted(ordered, key=lambda each: not each.parts)
        parts = [
            replace(part, quantity=part.quantity * each.quantity)
            for each in whole
            for part in each.parts
        ]
        products = (*whole, *parts)
        named: dict[tuple[str, str], list[int]] = {}
        for at, product in enumerate(products):
            for member in IDENTIFIERS:
                if value := identifier(product, member):
                    named.setdefault((member, value), []).append(at)
        return cls(products, tuple(map(key_of, products)), named)

    def find(self, product: Product) -> Sequence[int]:
        """The lines that a product can be, by its first identifier that a line has.

        Lines of the product's key come first.
        """
        for member in IDENTIFIERS:
            value = identifier(product, member)
            found = self.named.get((member, value), ()) if value else ()
            if found:
                key = key_of(product)
                return (
                    found if len(found) == 1 else sorted(found, key=lambda at: self._not(at, key))
                )
        return ()

    def deal(self, products: Sequence[Product]) -> list[Counter[int]]:
        """The quantity that each product has of each line; none where no line fits.

        Products with fewer lines to choose from come first.
        """
        free = Counter({at: line.quantity for at, line in enumerate(self.products)})
        fits = [self.find(each) for each in products]
        dealt: list[Counter[int]] = [Counter() for _ in products]
        for at in sorted(range(len(products)), key=lambda at: len(fits[at])):
            dealt[at] = fill(products[at].quantity, fits[at], free)
            free.subtract(dealt[at])
        return dealt

    def _not(self, at: int, key: str | None) -> bool:
        return self.keys[at] != key


def fill(quantity: int, lines: Sequence[int], *rooms: Mapping[int, int]) -> Counter[int]:
    """A quantity as pieces of lines: as much as has room by the first of `rooms`, then the next.

    What has no room is of the first line.
    """
    taken: Counter[int] = Counter()
    for room in rooms:
        for at in lines:
            count = max(0, min(quantity, room[at] - taken[at]))
            taken[at] += count
            quantity -= count
    if lines:
        taken[lines[0]] += quantity
    return +taken
