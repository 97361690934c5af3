"""Warnings: what was doubtful in an item that was not refused for it, and what was done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from services.orders.domain.value import Value


class WarningCode(StrEnum):
    """Codes as they stand in outcomes. Never renamed once published."""

    VALUE_LEFT_OUT = "value_left_out"
    VALUE_READ_AS = "value_read_as"
    VALUE_DOUBTFUL = "value_doubtful"
    TEXT_CUT = "text_cut"
    LIST_CUT = "list_cut"
    ENTRY_LEFT_OUT = "entry_left_out"
    LINE_LEFT_OUT = "line_left_out"
    PRODUCT_NOT_ORDERED = "product_not_ordered"
    QUANTITY_ABOVE_ORDERED = "quantity_above_ordered"
    DESCRIPTION_STALE = "description_stale"
    NAME_SHARED = "name_shared"
    SCANS_WITHOUT_EVENT = "scans_without_event"
    RETRACTION_TOO_LATE = "retraction_too_late"
    NUMBER_REPLACED = "number_replaced"
    CAMPAIGN_WAS_ACTIVE = "campaign_was_active"
    REFERENCE_UNKNOWN = "reference_unknown"
    TOUCH_AFTER_ORDER = "touch_after_order"


WARNING_SENTENCES: Mapping[WarningCode, str] = MappingProxyType(
    {
        WarningCode.VALUE_LEFT_OUT: "A value that only describes could not be taken; the item was "
        "read as if the value had not been sent.",
        WarningCode.VALUE_READ_AS: "A value was not as the contract has it and had one meaning; it "
        "was read as that.",
        WarningCode.VALUE_DOUBTFUL: "A value looks wrong; it was taken as sent.",
        WarningCode.TEXT_CUT: "A text was longer than allowed; its end was left out.",
        WarningCode.LIST_CUT: "A list had more entries than allowed; the last ones were left out.",
        WarningCode.ENTRY_LEFT_OUT: "An entry of a list could not be taken; the other entries "
        "were.",
        WarningCode.LINE_LEFT_OUT: "A line of products had a quantity of 0; it was left out.",
        WarningCode.PRODUCT_NOT_ORDERED: "A parcel holds a product that is not in the order by "
        "line_id, variant_id, sku or title; the parcel keeps it, marked as not ordered.",
        WarningCode.QUANTITY_ABOVE_ORDERED: "The parcels of the order hold more of a product than "
        "was ordered; they keep it, and what is too much is marked as not ordered.",
        WarningCode.DESCRIPTION_STALE: "The order holds something newer; of the command only what "
        "is a new fact (a parcel) was taken.",
        WarningCode.NAME_SHARED: "Another order of the shop has the same order_name; while it has, "
        "a command that names an order by it is refused.",
        WarningCode.SCANS_WITHOUT_EVENT: "A report brought more than 500 new scans; the oldest of "
        "them count and made no event of their own.",
        WarningCode.RETRACTION_TOO_LATE: "A scan takes back one that is only in the summary of the "
        "number's oldest scans; that one still counts.",
        WarningCode.NUMBER_REPLACED: "A new tracking number under a known external_shipment_id was "
        "read as the correction of a number that the command leaves out.",
        WarningCode.CAMPAIGN_WAS_ACTIVE: "A campaign was removed while it was active; choices of "
        "earlier times keep it.",
        WarningCode.REFERENCE_UNKNOWN: "A campaign or a test names a discount or a campaign that "
        "the shop has not sent yet; once sent, it counts since its own time.",
        WarningCode.TOUCH_AFTER_ORDER: "A contact is later than the order; it is kept, and a link "
        "is not credited with the order.",
    }
)
"""The sentence for each code: what was done."""

KEPT_MAX = 10
"""How many warnings an order keeps."""


class FactWarning(Value, frozen=True, kw_only=True):
    """One warning about an item."""

    code: WarningCode
    pointer: str
    """JSON pointer (RFC 6901) to the member of the item's body that the warning is about."""
    detail: str
    """A sentence with what was found and what was done. It holds no personal data."""


class KeptWarning(Value, frozen=True, kw_only=True):
    """A warning that is stored with the order, for operators."""

    warning: FactWarning
    causation_id: str
    """Id of the message that the warning is about."""
    at: datetime
    """When the message was decided."""


def keep(held: tuple[KeptWarning, ...], new: Iterable[KeptWarning]) -> tuple[KeptWarning, ...]:
    """Add warnings to those that an order keeps: one for each code and pointer, the newest last."""
    kept = {(each.warning.code, each.warning.pointer): each for each in held}
    for each in new:
        place = (each.warning.code, each.warning.pointer)
        kept.pop(place, None)
        kept[place] = each
    return tuple(kept.values())[-KEPT_MAX:]
