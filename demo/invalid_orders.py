"""Orders that a shop gets wrong: what must be refused, and that nothing else suffers from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from demo.expectation import RefusalAnswer
from demo.messages import Body, claim, command, tracking
from demo.script import ScriptMessage, for_ever
from demo.stories import HOME, SCANS_BEFORE_DELIVERY
from demo.story import Story
from schemas.topics import ORDERS_COMMANDS


@dataclass(slots=True)
class Mistakes:
    """What was sent wrongly, and the rejection that must follow."""

    found: list[RefusalAnswer] = field(default_factory=list)

    def expect(self, message: ScriptMessage, *reasons: str, index: int = 0) -> None:
        """Item `index` of the message must be refused for one of the reasons."""
        id_ = dict(message.headers).get("ce_id", b"").decode()
        self.found.append(RefusalAnswer(message.topic, f"{id_}#{index}", frozenset(reasons)))


def too_many_parcels(story: Story, mistakes: Mistakes) -> None:
    """More parcels than an order can have."""
    story.order().wait(1)
    wrong = story.send("order.update", {"expected_number_of_shipments": 500})
    mistakes.expect(wrong, "too_many_shipments")
    story.wait(1).scan(story.ship(), *HOME)


def placed_differently(story: Story, mistakes: Mistakes) -> None:
    """The same number placed again with other contents."""
    story.order().wait(1)
    other = {**story.placement(), "products": [], "email_id": "someone@mail.example"}
    wrong = story.send("order.place", {"order": other})
    mistakes.expect(wrong, "order_exists")


def more_after_cancelling(story: Story, mistakes: Mistakes) -> None:
    """More parcels announced for an order that is cancelled."""
    story.order().wait(1).cancel().wait(1)
    wrong = story.send("order.update", {"expected_number_of_shipments": 3})
    mistakes.expect(wrong, "order_cancelled")


def without_address(story: Story, mistakes: Mistakes) -> None:
    """A placement that fails the contract, corrected by the next."""
    broken = {**story.placement(), "address": story.city}
    mistakes.expect(story.send("order.place", {"order": broken}), "invalid_fields")
    story.order().wait(1)


def scan_without_a_time(story: Story, mistakes: Mistakes) -> None:
    """A carrier's message that says what happened and not when."""
    story.order().wait(2)
    parcel = story.ship()
    story.scan(parcel, *SCANS_BEFORE_DELIVERY)
    broken = {"event_name": "OUT_FOR_DELIVERY"}
    wrong = tracking(parcel.carrier, parcel.number, [broken], story.now, id_=f"{parcel.number}/x")
    story.messages.append(wrong)
    mistakes.expect(wrong, "invalid_fields")


def claimed_too_much(story: Story, mistakes: Mistakes) -> None:
    """A claim for more pieces than were in the parcel."""
    story.order().wait(2)
    parcel = story.ship()
    story.scan(parcel, *HOME)
    item = {"sku": story.products[0]["sku"], "quantity": 50}
    body = {**_about(story, parcel.number), "reason": "damage", "selected_items": [item]}
    wrong = claim(story.key, "claim.open", body, story.wait(1).now, id_=f"{story.key}#much")
    story.messages.append(wrong)
    mistakes.expect(wrong, *QUANTITY_REASONS)


def missed_too_early(story: Story, mistakes: Mistakes) -> None:
    """Reported as not received before it was delivered."""
    story.order().wait(2)
    parcel = story.ship()
    story.scan(parcel, "PICKED_UP_BY_CARRIER")
    body = {**_about(story, parcel.number), "reason": "investigation"}
    wrong = claim(story.key, "claim.open", body, story.wait(1).now, id_=f"{story.key}#early")
    story.messages.append(for_ever(wrong))  # It waits for the delivery, in vain.
    mistakes.expect(wrong, *GATE_REASONS)


def _about(story: Story, number: str) -> Body:
    return {**story.reference, "tracking_number": number}


Mistake = Callable[[Story, Mistakes], None]

QUANTITY_REASONS = ("quantity_above_shipped",)
GATE_REASONS = ("not_delivered",)
MISTAKES: tuple[Mistake, ...] = (
    too_many_parcels,
    placed_differently,
    more_after_cancelling,
    without_address,
    scan_without_a_time,
    claimed_too_much,
    missed_too_early,
)


def unreadable(shop: str, story: Story, mistakes: Mistakes) -> Iterable[ScriptMessage]:
    """Messages of a broken sender, which belong to no order."""
    for name, type_, value, reason in (
        ("not-json", "order.upsert", b"{not json", "not_json"),
        ("no-type", "", b'{"shop_slug":"x"}', "type_missing"),
        ("strange-type", "order.explode", b"{}", "unknown_type"),
        ("nul", "order.cancel", b'{"shop_slug":"x","id":"1\\u0000"}', "nul_character"),
    ):
        headers = (("ce_id", f"{shop}-{name}".encode()), ("ce_source", b"shops/broken"))
        typed = (("ce_type", type_.encode()),) if type_ else ()
        message = ScriptMessage(ORDERS_COMMANDS, b"broken", value, story.now, (*headers, *typed))
        mistakes.expect(message, reason)
        yield message


def for_unknown_order(shop: str, story: Story, mistakes: Mistakes) -> ScriptMessage:
    """A command for an order that never comes: refused when its waiting time is over."""
    order = f"{shop}/NEVER-PLACED"
    body = {"id": "NEVER-PLACED", "id_type": "order_number", "reason": "misread"}
    message = command(order, "order.cancel", body, story.now, id_=f"{order}#1")
    mistakes.expect(message, "order_not_found")
    return for_ever(message)
