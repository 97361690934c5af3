"""Named shipments: which shipments of an order the names in a command fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.model.reasons import CommandRefused, Reason


class Names(NamedTuple):
    """What a command says of one shipment; None is not said. Every name must fit."""

    shipment_id: Uuid | None = None
    number: str | None = None
    """Normalised."""
    external_shipment_id: str | None = None

    @property
    def are_given(self) -> bool:
        """Whether the command names a shipment at all."""
        return any(each is not None for each in self)

    def fit(self, shipment_id: Uuid, number: str | None, external: str | None) -> bool:
        """Whether every name that is said is one of these."""
        own = (shipment_id, number, external)
        return all(said is None or said == has for said, has in zip(self, own, strict=True))

    def __str__(self) -> str:
        """The names in words, for an error."""
        # A number is not quoted as sent: what shops write in its place may be personal.
        said = zip(("shipment_id", "tracking_number", "external_shipment_id"), self, strict=True)
        return ", ".join(f"{name} {value!r}" for name, value in said if value is not None)


def named_shipments(order: Order, names: Names) -> list[Shipment]:
    """The shipments of an order that every name fits, by ordinal."""
    return [
        each
        for each in order.shipments
        if names.fit(each.shipment_id, each.number, each.external_shipment_id)
    ]


def ambiguous(order: Order, names: Names, found: Sequence[Shipment]) -> CommandRefused:
    """The refusal of names that fit several shipments."""
    detail = (
        f"{names} is on {len(found)} shipments of order {order.order_number!r}; name one of them "
        "by its tracking_number or shipment_id."
    )
    return CommandRefused(Reason.SHIPMENT_AMBIGUOUS, detail, "/external_shipment_id")


def not_found(order: Order, names: Names) -> CommandRefused:
    """The refusal of names that fit no shipment, or of which each fits another one."""
    single = (Names(*[n if i == at else None for i, n in enumerate(names)]) for at in range(3))
    given = [each for each in single if each.are_given]
    pointer = "/shipment_id" if names.shipment_id else "/external_shipment_id"
    if len(given) > 1 and all(named_shipments(order, each) for each in given):
        detail = (
            f"{names} are different shipments of order {order.order_number!r}; correct the one "
            "that is wrong."
        )
        return CommandRefused(Reason.SHIPMENT_AMBIGUOUS, detail, pointer)
    detail = (
        f"Order {order.order_number!r} has no shipment with {names}; name one of its shipment ids "
        "or tracking numbers."
    )
    return CommandRefused(Reason.SHIPMENT_NOT_FOUND, detail, pointer)
