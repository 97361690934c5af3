"""Bugs in what becomes of tracking numbers that are shared, used again or voided."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from chaos.patching import patch
from services.orders.domain.model.order import with_shipment


def first_owner_alone() -> None:
    """Scans of a number reach the shipment that took it first, and no other."""
    place = "services.orders.domain.events.conclude:windows_of"
    patch(place, lambda found: lambda parcel: found(parcel)[:1])


def void_keeps_state() -> None:
    """A shipment that loses its number keeps what the number's scans said."""

    def make(take_off: Any) -> Any:
        def taken_off(recorder: Any, order: Any, shipment: Any) -> Any:
            after = take_off(recorder, order, shipment)
            (bare,) = [each for each in after.shipments if each.ordinal == shipment.ordinal]
            return with_shipment(after, replace(bare, tracking=shipment.tracking))

        return taken_off

    patch("services.orders.domain.rules.void_shipment:take_number_off", make)


def place_shown_to_all() -> None:
    """Every shop on a number sees place, text, pick-up point and proof."""
    place = "services.orders.domain.model.privacy:without_place"
    patch(place, lambda _: lambda scan: scan)


def windows_never_end() -> None:
    """A number that is used again gives its new parcel the scans of the one before."""
    place = "services.orders.domain.model.windows:_end_where_reused"
    patch(place, lambda _: lambda *__: None)
