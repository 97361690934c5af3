"""Amounts in minor units of their currency (ISO 4217), and totals that add up."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from services.deliveries.messages.ucp.event import Line, Order

NO_CURRENCY = "XXX"
"""The code of ISO 4217 for no currency."""

_PLACES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF XXX",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Decimal places of the minor unit; of other currencies 2 (ISO 4217, list one)."""
_PLACES_OF = {code: places for places, codes in _PLACES.items() for code in codes.split()}

_EXACT = Context(prec=400, rounding=ROUND_HALF_EVEN)
"""Amounts have up to 110 digits."""

Json = dict[str, Any]


def minor_units(amount: Decimal, currency: str) -> int:
    """An amount in the minor unit of its currency; a half goes to the even neighbour."""
    scaled = _EXACT.scaleb(amount, _PLACES_OF.get(currency, 2))
    return int(_EXACT.to_integral_value(scaled))


def line_amount(line: Line, currency: str) -> int | None:
    """Price times quantity, rounded once; None where the shop gave no price."""
    if line.price is None:
        return None
    return minor_units(_EXACT.multiply(line.price, Decimal(line.quantity)), currency)


def line_totals(amount: int | None) -> list[Json]:
    """The totals of a line: none where its price is not known."""
    if amount is None:
        return []
    if amount < 0:
        return [entry("subtotal", 0), entry("discount", amount), entry("total", amount)]
    return [entry("subtotal", amount), entry("total", amount)]


def order_totals(order: Order, currency: str) -> tuple[list[Json], list[str]]:
    """The totals of an order, of which the last is the sum of the others.

    Beside them the types of the amounts that the shop gave no figure for: they are worked out from
    the other amounts, or 0.
    """
    given = {
        name: None if amount is None else minor_units(amount, currency)
        for name, amount in (
            ("subtotal", order.sub_total_price),
            ("fulfillment", order.shipping_price),
            ("discount", order.discount_price),
            ("total", order.total_order_price),
        )
    }
    unknown = [name for name in ("subtotal", "total") if given[name] is None]
    shipping, discount = given["fulfillment"] or 0, abs(given["discount"] or 0)
    subtotal = given["subtotal"]
    if subtotal is None:
        subtotal = _subtotal(order, currency, given["total"], shipping - discount)
    total = given["total"]
    if total is None:
        total = subtotal + shipping - discount
    entries = [entry("subtotal", subtotal)]
    if discount:
        entries.append(entry("discount", -discount))
    if given["fulfillment"] is not None:
        entries.append(entry("fulfillment", shipping))
    rest = total - sum(each["amount"] for each in entries)
    if rest:
        entries.append({**entry("other", rest), "display_text": "Taxes, fees and other amounts"})
    return [*entries, entry("total", total)], unknown


def _subtotal(order: Order, currency: str, total: int | None, beside: int) -> int:
    """The sum of the lines; else what the other amounts leave."""
    amounts = [line_amount(each, currency) for each in order.products]
    known = [each for each in amounts if each is not None]
    if known and len(known) == len(amounts):
        return max(0, sum(known))
    return 0 if total is None else max(0, total - beside)


def entry(type_: str, amount: int) -> Json:
    """One entry of totals."""
    return {"type": type_, "amount": amount}
