"""The reasons for which claim commands change nothing, are rejected or wait; a sentence each."""

from __future__ import annotations

from enum import StrEnum


class NoChangeReason(StrEnum):
    """Reason codes of commands that changed nothing, as those of the orders service."""

    DUPLICATE = "duplicate"
    NO_DIFFERENCE = "no_difference"


class RejectionReason(StrEnum):
    """Reason codes of refused commands. A published code never changes its meaning."""

    # The command waits first, and is rejected when its time is over.
    ORDER_NOT_FOUND = "order_not_found"
    SHIPMENT_NOT_FOUND = "shipment_not_found"
    NOT_SHIPPED = "not_shipped"
    NOT_DELIVERED = "not_delivered"
    CLAIM_NOT_FOUND = "claim_not_found"
    # The command is rejected at once.
    REFERENCE_AMBIGUOUS = "reference_ambiguous"
    SHIPMENT_NOT_NAMED = "shipment_not_named"
    ITEMS_NOT_SELECTED = "items_not_selected"
    TOO_MANY_ITEMS = "too_many_items"
    ITEM_NOT_NAMED = "item_not_named"
    ITEM_NOT_IN_SHIPMENT = "item_not_in_shipment"
    ITEM_NOT_ORDERED = "item_not_ordered"
    ITEM_AMBIGUOUS = "item_ambiguous"
    QUANTITY_ABOVE_SHIPPED = "quantity_above_shipped"
    NOTHING_LEFT_TO_CLAIM = "nothing_left_to_claim"
    TOO_MANY_EVIDENCE_LINKS = "too_many_evidence_links"
    CLAIM_TOO_LARGE = "claim_too_large"
    EVIDENCE_NOT_HTTPS = "evidence_not_https"
    CLAIM_WITHDRAWN = "claim_withdrawn"
    CLAIM_CLOSED = "claim_closed"
    STATUS_NOT_ALLOWED = "status_not_allowed"
    REOPENING_NEEDS_REASON = "reopening_needs_reason"
    CLAIM_ALREADY_OPEN = "claim_already_open"
    SOURCE_NOT_ALLOWED = "source_not_allowed"


SENTENCES: dict[RejectionReason, str] = {
    RejectionReason.ORDER_NOT_FOUND: (
        "shop {shop} has no order with {kind} {value}; send the order first, then the claim again"
    ),
    RejectionReason.REFERENCE_AMBIGUOUS: (
        "order_name {value!r} names {count} orders ({numbers}); name the order by order_number, "
        "external_id or uuid"
    ),
    RejectionReason.SHIPMENT_NOT_FOUND: (
        "order {order} has no shipment {shipment}; name one of its shipment ids or tracking numbers"
    ),
    RejectionReason.NOT_SHIPPED: (
        "shipment {shipment} has no tracking number yet, so nothing in it can be claimed; open "
        "the claim once it has one"
    ),
    RejectionReason.NOT_DELIVERED: (
        "shipment {shipment} is not delivered yet (phase {phase}); until then, or until its "
        "carrier gives it up, it is under way, not missing"
    ),
    RejectionReason.CLAIM_NOT_FOUND: (
        "shop {shop} has no claim {claim}; open it first, or name one that the shop has"
    ),
    RejectionReason.SHIPMENT_NOT_NAMED: (
        "name the parcel by shipment_id or tracking_number; only a support claim that selects no "
        "items can do without"
    ),
    RejectionReason.ITEMS_NOT_SELECTED: (
        "partial damage is about some items: name them in selected_items, or claim damage for "
        "the whole parcel"
    ),
    RejectionReason.TOO_MANY_ITEMS: (
        "{count} lines are selected, {limit} are allowed; claim the whole parcel by selecting none"
    ),
    RejectionReason.ITEM_NOT_NAMED: "an item needs a sku or a title",
    RejectionReason.ITEM_NOT_IN_SHIPMENT: (
        "{item} is not in shipment {shipment}; name the parcel that it is in"
    ),
    RejectionReason.ITEM_NOT_ORDERED: (
        "{item} is in shipment {shipment}, but not as something that was ordered; only what was "
        "ordered can be claimed, a support claim may name it"
    ),
    RejectionReason.ITEM_AMBIGUOUS: "several products are called {item}; name it by its sku",
    RejectionReason.QUANTITY_ABOVE_SHIPPED: (
        "{wanted} of {item} are claimed, and {left} can be: that many of the {shipped} shipped are "
        "in no other claim on the order; claim fewer"
    ),
    RejectionReason.NOTHING_LEFT_TO_CLAIM: (
        "nothing in shipment {shipment} is left to claim: what was ordered is in other claims or "
        "in other parcels"
    ),
    RejectionReason.TOO_MANY_EVIDENCE_LINKS: (
        "{count} links to evidence are given, {limit} are allowed"
    ),
    RejectionReason.CLAIM_TOO_LARGE: (
        "titles, links and description take {size} bytes, {limit} are allowed; shorten them"
    ),
    RejectionReason.EVIDENCE_NOT_HTTPS: "evidence must be linked by https",
    RejectionReason.CLAIM_WITHDRAWN: "claim {claim} was withdrawn; open a new one",
    RejectionReason.CLAIM_CLOSED: (
        "claim {claim} is closed; reopen it first (status pending, with reason_for_change)"
    ),
    RejectionReason.STATUS_NOT_ALLOWED: (
        "a claim that is {status} can become {allowed}, not {wanted}"
    ),
    RejectionReason.REOPENING_NEEDS_REASON: (
        "to reopen a closed claim, say why in reason_for_change"
    ),
    RejectionReason.CLAIM_ALREADY_OPEN: (
        "claim {claim} is open for the same items of the same parcel"
    ),
    RejectionReason.SOURCE_NOT_ALLOWED: "this ce_source may not send commands for shop {shop}",
}


class RuleBroken(Exception):
    """The command breaks a rule and is rejected. `facts` fill the reason's sentence."""

    def __init__(self, reason: RejectionReason, pointer: str = "", **facts: object) -> None:
        self.reason = reason
        self.pointer = pointer
        self.detail = SENTENCES[reason].format(**facts)
        super().__init__(self.detail)


class NotYet(RuleBroken):
    """What the command needs was not received yet: it waits for the key `waits_for`."""

    def __init__(
        self, waits_for: str, reason: RejectionReason, pointer: str = "", **facts: object
    ) -> None:
        super().__init__(reason, pointer, **facts)
        self.waits_for = waits_for
