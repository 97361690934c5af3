"""Reasons: why an item changed nothing, was refused, or waits; a sentence each for its sender."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    """Codes as they stand in outcomes and rejections. Never renamed once published."""

    DUPLICATE = "duplicate"
    STALE = "stale"
    NO_DIFFERENCE = "no_difference"
    ORDER_NOT_FOUND = "order_not_found"
    NUMBER_NOT_OWNED = "number_not_owned"
    ORDER_EXISTS = "order_exists"
    REFERENCE_CONFLICT = "reference_conflict"
    REFERENCE_AMBIGUOUS = "reference_ambiguous"
    TOO_MANY_SHIPMENTS = "too_many_shipments"
    TOO_FEW_SHIPMENTS = "too_few_shipments"
    QUANTITY_ABOVE_ORDERED = "quantity_above_ordered"
    PRODUCT_UNKNOWN = "product_unknown"
    TRACKING_NUMBER_IN_USE = "tracking_number_in_use"
    TRACKING_NUMBER_SHARED = "tracking_number_shared"
    TRACKING_NUMBER_EMPTY = "tracking_number_empty"
    TRACKING_NUMBER_PLACEHOLDER = "tracking_number_placeholder"
    TRACKING_NUMBER_LIST = "tracking_number_list"
    ORDER_CANCELLED = "order_cancelled"
    SHIPMENT_NOT_FOUND = "shipment_not_found"
    SHIPMENT_AMBIGUOUS = "shipment_ambiguous"
    SHIPMENT_NOT_NAMED = "shipment_not_named"
    SHIPMENT_IS_DRAFT = "shipment_is_draft"
    SHIPMENT_DELIVERED = "shipment_delivered"
    FORCE_NEEDS_REASON = "force_needs_reason"
    NUMBER_ON_ORDER = "number_on_order"
    ALREADY_VOIDED = "already_voided"
    TOO_MANY_SCANS = "too_many_scans"
    SOURCE_NOT_ALLOWED = "source_not_allowed"
    ORDER_ERASED = "order_erased"
    CAMPAIGN_OVERLAPS = "campaign_overlaps"
    CAMPAIGN_NOT_FOUND = "campaign_not_found"
    TOO_MANY_CAMPAIGNS = "too_many_campaigns"
    ENDS_BEFORE_START = "ends_before_start"
    ALLOCATIONS_DO_NOT_SUM = "allocations_do_not_sum"
    AB_TEST_RUNNING = "ab_test_running"
    DISCOUNT_ON_NOTHING = "discount_on_nothing"
    DISCOUNT_CODE_FIXED = "discount_code_fixed"


SENTENCES: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.DUPLICATE: "This item was applied before; nothing changed.",
        Reason.STALE: "The order already holds something newer than this command's "
        "source_version or updated_at; nothing changed.",
        Reason.NO_DIFFERENCE: "The order already is as the command wants it; nothing changed.",
        Reason.ORDER_NOT_FOUND: "No order with this reference has been seen; the item waits for "
        "one, and is rejected when none appears in time.",
        Reason.NUMBER_NOT_OWNED: "No order has this tracking number yet, or none with a parcel of "
        "this carrier and time; the scans are kept for the one that will.",
        Reason.ORDER_EXISTS: "An order with this number exists and differs; send order.upsert to "
        "change it.",
        Reason.REFERENCE_CONFLICT: "The references in the command name different orders; correct "
        "the one that is wrong.",
        Reason.REFERENCE_AMBIGUOUS: "Several orders have this order_name; name the order by "
        "order_number, external_id or uuid.",
        Reason.TOO_MANY_SHIPMENTS: "An order can have at most 100 shipments; split the order.",
        Reason.TOO_FEW_SHIPMENTS: "Not given any more: 0 is an order that needs no parcel, and a "
        "number below 0 is malformed (invalid_fields).",
        Reason.QUANTITY_ABOVE_ORDERED: "Not given any more: a parcel keeps what its shop says, "
        "and the outcome has the warning of this name.",
        Reason.PRODUCT_UNKNOWN: "Not given any more: a parcel keeps what its shop says, and the "
        "outcome has the warning product_not_ordered.",
        Reason.TRACKING_NUMBER_IN_USE: "Not given any more: a number may be on several "
        "parcels, of any shops.",
        Reason.TRACKING_NUMBER_SHARED: "The tracking number is on 16 parcels that are under way, "
        "the most that it can be on; check that it is the number of one parcel.",
        Reason.TRACKING_NUMBER_EMPTY: "A tracking number has no letter and no digit; leave the "
        "tracking out until there is one.",
        Reason.TRACKING_NUMBER_PLACEHOLDER: "A text in the place of a tracking number certainly is "
        "none: it has no digit, or only zeros, is too long, or is a link or an e-mail "
        "address; leave the tracking out until there is a number.",
        Reason.TRACKING_NUMBER_LIST: "A field holds several tracking numbers, or what may be "
        "several; send one tracking number in a field.",
        Reason.ORDER_CANCELLED: "The order is cancelled and expects no more shipments; place a "
        "new order.",
        Reason.SHIPMENT_NOT_FOUND: "The order has no such shipment; name one of its shipment ids "
        "or tracking numbers.",
        Reason.SHIPMENT_AMBIGUOUS: "The command's shipment_id, tracking_number and "
        "external_shipment_id name different shipments, or several; correct the one that is wrong.",
        Reason.SHIPMENT_IS_DRAFT: "The shipment has no tracking number, so there is none to take "
        "off; lower expected_number_of_shipments if the parcel is not needed.",
        Reason.SHIPMENT_DELIVERED: "The parcel was delivered, and a number that was delivered is "
        "kept; send shipment.void with force and a reason if it must go all the same.",
        Reason.FORCE_NEEDS_REASON: "A delivered parcel is taken off only with a reason; say why "
        "in reason.",
        Reason.NUMBER_ON_ORDER: "The new tracking number is another parcel's of the order; take it "
        "off there first, or name that parcel.",
        Reason.ALREADY_VOIDED: "The tracking number was taken off the order before; nothing "
        "changed.",
        Reason.SHIPMENT_NOT_NAMED: "Not given any more: a command that names no shipment is "
        "malformed (invalid_fields); add shipment_id, tracking_number or external_shipment_id.",
        Reason.TOO_MANY_SCANS: "Not given any more: scans beyond the newest 500 of a tracking "
        "number are summed up.",
        Reason.SOURCE_NOT_ALLOWED: "This ce_source may not send commands for the shop; correct it, "
        "or ask the operators to allow it.",
        Reason.ORDER_ERASED: "The order was erased, and its number is not used again; place a new "
        "order under another number.",
        Reason.CAMPAIGN_OVERLAPS: "Another enabled campaign of the same segment runs at the same "
        "time; end or pause it first, or put both into a test.",
        Reason.CAMPAIGN_NOT_FOUND: "The shop has no such campaign, or removed it; send "
        "campaign.upsert first.",
        Reason.TOO_MANY_CAMPAIGNS: "A shop can have at most 1,000 campaigns that are not removed, "
        "and 200 tests that are not over; remove or end some first.",
        Reason.ENDS_BEFORE_START: "The end is not after the start; correct one of them.",
        Reason.ALLOCATIONS_DO_NOT_SUM: "The shares of a test's campaigns and its hold-out are not "
        "100 per cent together, or a campaign is named twice; correct the shares.",
        Reason.AB_TEST_RUNNING: "A test that runs keeps its campaigns, shares, hold-out, segment "
        "and start; end it and make a new test.",
        Reason.DISCOUNT_ON_NOTHING: "The discount has no code, takes nothing off, or is on "
        "nothing; correct its code, value, currency or targets.",
        Reason.DISCOUNT_CODE_FIXED: "A discount keeps its code; make a new discount with the new "
        "code.",
    }
)
"""The sentence for each reason: the fact and the way out."""


class CommandRefused(Exception):
    """The command breaks a rule. `detail` states the fact, `pointer` the member it is about."""

    def __init__(self, reason: Reason, detail: str, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.pointer = pointer


class NotYet(Exception):
    """What the command names is not there yet."""

    def __init__(self, reason: Reason, waits_for: str) -> None:
        super().__init__(waits_for)
        self.reason = reason
        self.waits_for = waits_for


class Unchanged(Exception):
    """There is nothing to do. `detail` states the fact; the reason's sentence if empty."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail or SENTENCES[reason]
