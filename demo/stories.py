"""Kinds of lives an order can have. Each comes to the same end however its scans are shuffled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from demo.parcels import Parcel
from demo.script import answered_later, repeated
from demo.story import Story

SCANS_BEFORE_DELIVERY = ("PICKED_UP_BY_CARRIER", "ARRIVAL_AT_TRANSPORT_HUB", "OUT_FOR_DELIVERY")
HOME = (*SCANS_BEFORE_DELIVERY, "SUCCESSFULLY_DELIVERED")


def plain(story: Story) -> None:
    """Placed, shipped, delivered."""
    story.order().wait(6)
    story.scan(story.ship(), "LABEL_CREATED", *HOME)


def waiting_for_stock(story: Story) -> None:
    """Placed, and nothing shipped yet."""
    story.order()


def in_one_message(story: Story) -> None:
    """Ordered and shipped in one upsert, as shops do that report late."""
    parcel = story.pack()
    body = {"order": story.placement(), "trackings": [story.label(parcel)]}
    story.send("order.upsert", body)
    story.derive_status()
    story.scan(parcel, *SCANS_BEFORE_DELIVERY, "DELIVERED_TO_LETTERBOX")


def in_two_parcels(story: Story) -> None:
    """Two parcels expected, shipped on two days."""
    story.expected = 2
    story.order().wait(5)
    story.scan(story.ship("dhl"), *HOME)
    story.scan(story.ship("dpd"), *SCANS_BEFORE_DELIVERY, "DELIVERED_TO_NEIGHBOUR")


def half_shipped(story: Story) -> None:
    """Two parcels expected, one of them shipped."""
    story.expected = 2
    story.order().wait(5)
    story.scan(story.ship(), *SCANS_BEFORE_DELIVERY)


def one_parcel_more(story: Story) -> None:
    """One parcel expected, then two."""
    story.order().wait(4)
    first = story.ship()
    story.wait(1).expect(2).wait(2)
    story.scan(story.ship(), "PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED")
    story.scan(first, *HOME)


def one_parcel_fewer(story: Story) -> None:
    """Three parcels expected, packed in two after all."""
    story.expected = 3
    story.order().wait(4)
    parcels = [story.ship(), story.ship()]
    story.wait(1).expect(2)
    for parcel in parcels:
        story.scan(parcel, *HOME)


def more_than_said(story: Story) -> None:
    """One parcel expected, two shipped: the expected number rises by itself."""
    story.order().wait(3)
    parcels = [story.ship(), story.ship()]
    for parcel in parcels:
        story.scan(parcel, *HOME, hours=3)


def delayed(story: Story) -> None:
    """Held up on the way, delivered days late."""
    story.order().wait(6)
    parcel = story.ship()
    story.scan(parcel, "PICKED_UP_BY_CARRIER", "CARRIER_DELAY")
    story.wait(120)
    story.scan(parcel, "PROBLEM_RESOLVED", "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED")


def failed_attempts(story: Story) -> None:
    """Recipient not at home twice, delivered at the third try."""
    story.order().wait(6)
    parcel = story.ship()
    story.scan(parcel, *SCANS_BEFORE_DELIVERY, "RECIPIENT_NOT_HOME")
    story.scan(parcel, "OUT_FOR_DELIVERY", "RECIPIENT_NOT_HOME", hours=20)
    story.scan(parcel, "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED", hours=20)


def sent_back(story: Story) -> None:
    """Undeliverable, back at the shop in the end."""
    story.order().wait(6)
    parcel = story.ship()
    story.scan(parcel, *SCANS_BEFORE_DELIVERY, "RECIPIENT_NOT_HOME")
    story.scan(parcel, "UNDELIVERABLE_RETURNING", "RETURNED_TO_SENDER", hours=24)


def collected(story: Story) -> None:
    """Left at a parcel shop, collected there."""
    story.order().wait(6)
    parcel = story.ship()
    story.scan(parcel, *SCANS_BEFORE_DELIVERY, "FORWARDED_TO_PARCEL_SHOP")
    story.scan(parcel, "READY_FOR_COLLECTION_AT_PARCEL_SHOP", "COLLECTED_BY_CUSTOMER", hours=20)


def not_yet_collected(story: Story) -> None:
    """Waits in a locker."""
    story.order().wait(6)
    story.scan(story.ship(), *SCANS_BEFORE_DELIVERY, "READY_FOR_COLLECTION_AT_LOCKER")


def returned_by_customer(story: Story) -> None:
    """Delivered, then sent back by the customer under the same number."""
    story.order().wait(6)
    parcel = story.ship()
    story.scan(parcel, *HOME)
    story.scan(parcel, "RETURN_IN_TRANSIT", "RETURN_RECEIVED", hours=60)


def delivered_by_mistake(story: Story) -> None:
    """The driver takes the delivery back and brings the parcel the next day."""
    story.order().wait(6)
    parcel = story.ship()
    story.scan(parcel, *SCANS_BEFORE_DELIVERY)
    wrong = story.wait(1).scanned(parcel, "SUCCESSFULLY_DELIVERED")
    story.report(parcel, wrong)
    undone = story.wait(1).scanned(parcel, "SCAN_RETRACTED")
    story.report(parcel, {**undone, "retracts": wrong["scan_id"]})
    story.scan(parcel, "RECIPIENT_NOT_HOME", hours=2)
    if story.rng.random() < 0.5:
        story.scan(parcel, "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED", hours=20)


def scanned_in_a_hurry(story: Story) -> None:
    """The driver scans the delivery first and the van ten minutes later: delivered all the same."""
    story.order().wait(6)
    parcel = story.ship()
    story.scan(parcel, *HOME)
    story.now += timedelta(minutes=10)
    story.report(parcel, story.scanned(parcel, "OUT_FOR_DELIVERY"))


def whole_history_again(story: Story) -> None:
    """The aggregator sends all scans so far with each new one."""
    story.order().wait(6)
    parcel = story.ship()
    known = []
    for event in HOME:
        story.wait(5)
        known.append(story.scanned(parcel, event))
        story.move(parcel, event)
        story.report(parcel, *known)


def tracking_first(story: Story) -> None:
    """The carrier reports the parcel hours before the shop does."""
    parcel = Parcel("", "")
    early = Story(story.shop, story.number, story.now, story.place, story.rng)
    parcel = early.pack()
    early.scan(parcel, "PICKED_UP_BY_CARRIER", "ARRIVAL_AT_TRANSPORT_HUB", hours=3)
    story.messages += [answered_later(message) for message in early.messages]
    story.now = early.now
    story.wait(2).order().wait(1)
    story.parcels.append(parcel)
    story.send("order.upsert", {"trackings": [story.label(parcel)]})
    story.derive_status()
    story.scan(parcel, "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED")


def command_first(story: Story) -> None:
    """The campaign arrives before the order, by another system under a separate key."""
    story.campaign = f"CAMPAIGN-{story.rng.randint(1, 5)}"
    body = {"order_analytics": {"campaign_code": story.campaign, "source": "orderflow"}}
    story.send("order.analytics.upsert", body, key=f"{story.shop}/crm-{story.number}")
    story.messages[-1] = replace(answered_later(story.messages[-1]), order_key=None)
    story.order().wait(5)
    story.scan(story.ship(), *HOME)


def under_three_keys(story: Story) -> None:
    """Shop, warehouse and marketing publish under keys of their own, and by names of their own."""
    story.expected = 2
    story.order().wait(3)
    first, second = story.pack("ups"), story.pack("gls")
    warehouse, shop_system = f"{story.shop}/ext-{story.number}", f"{story.shop}/wms"
    by_external_id = {"id": f"ext-{story.number}", "id_type": "external_id"}
    by_name = {"id": f"#{story.number}", "id_type": "order_name"}
    story.send("order.upsert", {**by_external_id, "trackings": [story.label(first)]}, key=warehouse)
    story.send("order.upsert", {**by_name, "trackings": [story.label(second)]}, key=shop_system)
    story.expect(3, key=f"{story.shop}/erp-{story.number}")
    for parcel in (first, second):
        story.scan(parcel, *HOME)


def with_campaign(story: Story) -> None:
    """A campaign is named, then named better."""
    story.order().wait(1)
    for code in ("SPRING", f"SUMMER-{story.rng.randint(1, 5)}"):
        story.campaign = code
        body = {"order_analytics": {"campaign_code": code, "medium": "email"}}
        story.send("order.analytics.upsert", body)
        story.wait(1)
    story.scan(story.ship(), *HOME)


def repacked(story: Story) -> None:
    """The parcel's page and content change after it was shipped."""
    story.order().wait(2)
    parcel = story.ship()
    parcel.tracking_url = f"https://carrier.example/{parcel.number}"
    lines = story.products[:2]
    parcel.product_lines = len(lines)
    change = {"tracking_url": parcel.tracking_url, "products": lines}
    story.wait(1).send("shipment.update", {"tracking_number": parcel.number, **change})
    story.scan(parcel, *HOME)


def moved_house(story: Story) -> None:
    """A new address, and then an older one, which must not replace it."""
    story.order().wait(1)
    old = story.address()
    story.city = "Potsdam"
    story.send("order.update", {"address": story.address(), "source_version": 5})
    story.wait(1).send("order.update", {"address": old, "source_version": 3})
    story.scan(story.ship(), *HOME)


def everything_twice(story: Story) -> None:
    """A producer that sends again whatever it got no answer for."""
    plain(story)
    story.messages = repeated(story.messages, 2)


def cancelled_in_time(story: Story) -> None:
    """Cancelled before anything was shipped."""
    story.expected = story.rng.randint(1, 2)
    story.order().wait(2).cancel()


def cancelled_too_late(story: Story) -> None:
    """Cancelled when the parcel was on its way; it is followed to the end."""
    story.order().wait(2)
    parcel = story.ship()
    story.scan(parcel, "PICKED_UP_BY_CARRIER")
    story.wait(1).cancel()
    story.scan(parcel, "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED")


Life = Callable[[Story], None]

LIVES: tuple[tuple[int, Life], ...] = (
    (70, plain),
    (10, waiting_for_stock),
    (20, in_one_message),
    (20, in_two_parcels),
    (8, half_shipped),
    (10, one_parcel_more),
    (8, one_parcel_fewer),
    (5, more_than_said),
    (16, delayed),
    (16, failed_attempts),
    (8, sent_back),
    (12, collected),
    (4, not_yet_collected),
    (8, returned_by_customer),
    (6, delivered_by_mistake),
    (5, scanned_in_a_hurry),
    (6, whole_history_again),
    (10, tracking_first),
    (6, command_first),
    (10, under_three_keys),
    (6, with_campaign),
    (6, repacked),
    (6, moved_house),
    (8, everything_twice),
    (6, cancelled_in_time),
    (4, cancelled_too_late),
)
"""How many orders in 294 live each life."""
