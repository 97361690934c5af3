"""Published: what was published of an order after the moment its database was restored to.

Numbers that were published are not given out again. An event that was published is not published
again: the decision changes the state and steps the order's version (docs/decisions/0071). What a
customer was notified of counts as notified, however late it is decided again (0141).

An erased order has its last numbers here, and nothing else.
"""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.model.campaigns import Attribution, CampaignChoice, Credit
from services.orders.domain.model.ids import Uuid, digest_of
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.tracking.notifications import Notice, merged
from services.orders.domain.value import Value, replace


class PublishedNotice(Value, frozen=True, kw_only=True):
    """An event that was published with `notify`: true."""

    event: int
    """Digest of the event's id."""
    group: str
    number: str | None = None
    """The tracking number, normalised; None of an event of the order itself."""
    leg: int = 1
    attempts: int = 0


class Erased(Value, frozen=True, kw_only=True):
    """That an order was erased: its number is not used again (docs/decisions/0184)."""

    shop: str
    at: datetime


class PublishedOfShop(Value, frozen=True, kw_only=True):
    """What was published of a shop on `campaigns.events`."""

    sequence: int
    events: frozenset[int] = frozenset()
    """Digests of the ids of the events."""

    def has(self, event_id: Uuid) -> bool:
        """Whether the event was published."""
        return digest_of(event_id) in self.events


class Published(Value, frozen=True, kw_only=True):
    """The highest numbers that were published, and digests of the ids of the events."""

    order_sequence: int
    shipment_sequence: int
    version: int
    events: frozenset[int] = frozenset()
    notices: tuple[PublishedNotice, ...] = ()
    choice: CampaignChoice | None = None
    """The campaign that was published last as the order's."""
    choices: int = 0
    """How many `order.campaign_selected` were published."""
    attribution_version: int = 0
    """The highest that was published; 0: none was."""
    credit: Credit | None = None
    """The credit of that version."""
    erased: Erased | None = None
    """Of an erased order; then there is no order beside it."""

    def has(self, event_id: Uuid) -> bool:
        """Whether the event was published."""
        return digest_of(event_id) in self.events

    def has_notified(self, event_id: Uuid) -> bool:
        """Whether the event was published with `notify`: true."""
        digest = digest_of(event_id)
        return any(each.event == digest for each in self.notices)

    def notices_of(self, number: str | None) -> list[Notice]:
        """What was notified of a tracking number."""
        return [
            Notice(each.group, each.leg, each.attempts)
            for each in self.notices
            if each.number is not None and each.number == number
        ]

    def has_notified_of_order(self, group: str) -> bool:
        """Whether an event of the order itself notified of a group."""
        return any(each.number is None and each.group == group for each in self.notices)


def raised(order: Order, published: Published | None) -> Order:
    """The order with counts not below the published ones, and a version above the published one.

    Above, because another state may have been published under the same version. Its parcels have
    the notices that were published of their numbers. Its campaign and its credit are those that
    were published last, so that the next event subtracts what subscribers have added.
    """
    if published is None or order.version > published.version:
        return order
    return replace(
        with_published_campaign(order, published),
        version=published.version + 1,
        order_sequence=max(order.order_sequence, published.order_sequence),
        shipment_sequence=max(order.shipment_sequence, published.shipment_sequence),
        shipments=tuple([_with_notices(each, published) for each in order.shipments]),
    )


def with_published_campaign(order: Order, published: Published) -> Order:
    """The order with the campaign and the credit that were published last, where any were."""
    if published.choices:
        changes = order.campaign_changes + published.choices
        order = replace(order, campaign=published.choice, campaign_changes=changes)
    held = order.attribution
    if published.attribution_version > (held.version if held is not None else 0):
        attribution = Attribution(
            version=published.attribution_version,
            credit=published.credit,
            touches=held.touches if held is not None else (),
        )
        order = replace(order, attribution=attribution)
    return order


def _with_notices(shipment: Shipment, published: Published) -> Shipment:
    if shipment.notices is None:  # Not stored: they are taken from the scans.
        return shipment
    notices = merged(shipment.notices, published.notices_of(shipment.number))
    return shipment if notices == shipment.notices else replace(shipment, notices=notices)
