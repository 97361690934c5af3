"""The window of a shipment on its tracking number: which scans it sees, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orderflow.console.instants import minute
from services.orders.domain.model.order import Shipment
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.unseen import Unseen, count_without_place, unseen_by
from services.orders.domain.model.window import Window
from services.orders.domain.model.windows import windows_of

UNSEEN_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ExplainedWindow:
    """What a shipment sees of its number; no order of another shop is named."""

    window: Window
    same_shop: tuple[str, ...]
    """Other orders of the shop whose shipments are on the number, as `shop/number`."""
    other_shops: int
    """How many shipments of other shops are on it."""
    unseen: tuple[Unseen, ...]
    without_place: int
    """How many scans it sees as those of another shop's parcel."""

    @property
    def is_shared(self) -> bool:
        """Whether another shipment is on the number."""
        return bool(self.same_shop or self.other_shops)

    def lines(self) -> list[str]:
        """For a person; empty where the shipment is alone on its number and sees all its scans."""
        if not self.is_shared and not self.unseen:
            return []
        begin, end = _bound(self.window.since), _bound(self.window.until)
        found = [f"window: scans from {begin} to {end} are its own"]
        if self.same_shop:
            found.append(f"the number is also on {', '.join(self.same_shop)}")
        if self.other_shops:
            found.append(f"the number is also on shipments of other shops: {self.other_shops}")
        if self.without_place:
            found.append(
                "scans without place, text, signer and pick-up point, as they are taken for those "
                f"of another shop's parcel: {self.without_place}"
            )
        return found + self._unseen_lines()

    def _unseen_lines(self) -> list[str]:
        shown = self.unseen[-UNSEEN_SHOWN:]
        found = [
            f"not its scan: {minute(each.scan.occurred_at)} {each.scan.event_name}. {each.sentence}"
            for each in shown
        ]
        if len(shown) < len(self.unseen):
            found.insert(0, f"not its scans: {len(self.unseen) - len(shown)} older ones")
        return found

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "since": self.window.since,
            "until": self.window.until,
            "scans_without_place": self.without_place,
            "orders_of_this_shop": list(self.same_shop),
            "shipments_of_other_shops": self.other_shops,
            "unseen": [
                {
                    "occurred_at": each.scan.occurred_at,
                    "event_name": each.scan.event_name,
                    "cause": each.cause,
                    "why": each.sentence,
                }
                for each in self.unseen
            ],
        }


def explain_windows(
    shipments: Sequence[Shipment], parcels: Mapping[str, Parcel], names: Mapping[str, str]
) -> dict[str, ExplainedWindow | None]:
    """The window of each shipment with a number, by shipment id.

    `names` has orders of the shop on these numbers, as `shop/number`, by order id.

    None where the shipment's place on its number was needed for a later parcel.
    """
    return {
        shipment.shipment_id: _explain(shipment.shipment_id, parcels[shipment.number], names)
        for shipment in shipments
        if shipment.number is not None and shipment.number in parcels
    }


def _explain(shipment_id: str, parcel: Parcel, names: Mapping[str, str]) -> ExplainedWindow | None:
    windows = windows_of(parcel)
    own = next((each for each in windows if each.owner.shipment_id == shipment_id), None)
    if own is None:
        return None
    others = [each.owner for each in windows if each is not own]
    return ExplainedWindow(
        window=own,
        same_shop=tuple(sorted({names[o.order_id] for o in others if o.order_id in names})),
        other_shops=sum(owner.shop != own.owner.shop for owner in others),
        unseen=unseen_by(own, windows, parcel.scans),
        without_place=count_without_place(own, windows, parcel.scans),
    )


def _bound(at: datetime | None) -> str:
    return "any time" if at is None else minute(at)
