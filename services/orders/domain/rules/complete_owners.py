"""Complete the owners that a version before stored (docs/decisions/0155)."""

from __future__ import annotations

from collections.abc import Mapping

from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Shipment
from services.orders.domain.model.parcel import Owner, Parcel, same_carrier, with_hand_over
from services.orders.domain.value import replace


def is_complete(parcel: Parcel) -> bool:
    """Whether nothing is to be added: one shipment alone is completed when another one comes."""
    return len(parcel.owners) < 2 or all(owner.placed_at for owner in parcel.owners)


def complete_owners(parcel: Parcel, shipments: Mapping[Uuid, Shipment]) -> Parcel:
    """The parcel with what only the shipments on it say: hand-overs, and carriers.

    Each shipment sees the same scans as before. A shipment whose shop named no carrier was given
    the scans of the carrier that reported it, where another shipment names another carrier.
    """
    owners = tuple(
        _completed(owner, parcel, shipments.get(owner.shipment_id)) for owner in parcel.owners
    )
    return replace(parcel, owners=owners)


def _completed(owner: Owner, parcel: Parcel, shipment: Shipment | None) -> Owner:
    if shipment is None or shipment.number != parcel.number:
        return owner
    owner = with_hand_over(owner, shipment.tracking_placed_at)
    if _is_beside_another_carrier(owner, shipment.carrier, parcel):
        return replace(owner, carrier=shipment.carrier)
    return owner


def _is_beside_another_carrier(owner: Owner, carrier: str | None, parcel: Parcel) -> bool:
    if owner.carrier is not None or owner.came_at is not None:
        return False
    return not all(
        same_carrier(carrier, other.carrier) for other in parcel.owners if other.came_at is None
    )
