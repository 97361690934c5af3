"""Catalogue of shipment events: the meaning of each event name, as data.

Names, phases and notification groups are those of Karla's API; docs/scan-rules.md has the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from zlib import crc32

from services.orders.domain.value import Value


class Phase(StrEnum):
    """Where a parcel is on its way, in Karla's twelve values."""

    ORDER_CREATED = "order_created"
    ORDER_PROCESSED = "order_processed"
    IN_TRANSIT = "in_transit"
    IN_DELIVERY = "in_delivery"
    DELIVERY_FAILED = "delivery_failed"
    COLLECT = "collect"
    DELIVERED = "delivered"
    RETURN_CREATED = "return_created"
    RETURN_TRANSIT = "return_transit"
    RETURN_FAILED = "return_failed"
    RETURN_RECEIVED = "return_received"
    RETURNED = "returned"


class Flag(StrEnum):
    """Alarm beside the phase."""

    NORMAL = "normal"
    DELAY = "delay"
    ERROR = "error"


class State(StrEnum):
    """Grouping of phases for a user interface."""

    PENDING = "pending"
    TRANSIT = "transit"
    COLLECT = "collect"
    DELIVERED = "delivered"
    ARCHIVED = "archived"
    RETURNED = "returned"


class FlagEffect(StrEnum):
    """What an event does to the flag."""

    NONE = "none"
    """No effect of its own. A physical scan still ends a delay or a soft error."""
    DELAY = "delay"
    ERROR = "error"
    """An error that any later physical scan disproves (lost, expired)."""
    LASTING_ERROR = "lasting_error"
    """An error that only `CLEAR` ends (damaged, disposed, confiscated)."""
    CLEAR = "clear"
    """Ends an error or a delay."""


class Why(Value, frozen=True, kw_only=True):
    """Why a parcel is where it is, and whether the addressee or the shop has to act."""

    reason_code: str | None = None
    """The family of the reason: one of `reasons.csv`."""
    reason: str | None = None
    """The carrier's own word for it."""
    action_required: bool = False
    """Whether the addressee or the shop has to act."""


class Entry(Value, frozen=True):
    """One line of the catalogue.

    `phase` is None where the event says nothing about the phase. `physical` marks a scan of the
    parcel itself: a message about its data does not move the phase (rules 12 and 13).
    """

    name: str
    phase: Phase | None
    group: str | None
    physical: bool
    flag: FlagEffect
    is_attempt: bool
    why: Why | None
    """The reason and the action that the name itself says."""
    is_sub_status: bool
    """Whether it can be the sub-status of a shipment, although it is a message about data."""
    position: int
    """Line number: the order in which scans of one instant are taken to have happened."""

    @property
    def is_return(self) -> bool:
        """Whether the event is one of a customer's return, by its name."""
        return self.name.startswith("RETURN_")


UNMAPPED = "UNMAPPED"
SCAN_RETRACTED = "SCAN_RETRACTED"
ORDER_CREATED = "ORDER_CREATED"
ORDER_CANCELLED = "ORDER_CANCELLED"
SHIPMENT_FULFILLED = "SHIPMENT_FULFILLED"
PRE_TRANSIT_GROUP = "shipment_pre_transit"

# name | phase ("-" none) | group without "shipment_" ("-" none) | marks
# marks: p physical, a delivery attempt, d delay, e error, l lasting error, c clears,
#   s a message about data that can be the sub-status (rule 15c),
#   ! the addressee or the shop has to act. Source of `!`: the substatuses of Shippo that have
#   `action_required` (docs/decisions/0170), by the event names that stand for them.
_TABLE = """
ORDER_CREATED|order_created|pre_transit|s
ORDER_IN_PROCESSING|order_created|pre_transit|s
ORDER_CANCELLED|order_created|order_cancelled|s
LABEL_CREATED|order_processed|pre_transit|s
ELECTRONIC_ADVICE_RECEIVED|order_processed|pre_transit|s
AWAITING_HANDOVER|order_processed|-|s
CARRIER_PICKUP_FAILED|order_processed|carrier_delay|sd!
NOT_YET_RECEIVED_BY_CARRIER|order_processed|-|s
DROPPED_OFF|in_transit|in_transit|p
PICKED_UP_BY_CARRIER|in_transit|in_transit|p
ARRIVAL_AT_TRANSPORT_HUB|in_transit|in_transit|p
SORTED|in_transit|-|p
DEPARTURE_FROM_TRANSPORT_HUB|in_transit|in_transit|p
LEFT_ORIGIN_COUNTRY|in_transit|-|p
ARRIVED_IN_DESTINATION_COUNTRY|in_transit|in_transit|p
CUSTOMS_CLEARANCE_STARTED|in_transit|-|p
HELD_BY_CUSTOMS|in_transit|carrier_delay|pd!
CUSTOMS_DOCUMENTS_MISSING|in_transit|carrier_delay|sd!
DUTIES_UNPAID|in_transit|carrier_delay|sd!
CUSTOMS_CLEARANCE_COMPLETED|in_transit|-|p
CARRIER_DELAY|in_transit|carrier_delay|sd
WEATHER_DELAY|in_transit|carrier_delay|sd
MISROUTED|in_transit|carrier_delay|pd
HELD_AT_DEPOT|in_transit|carrier_delay|pd!
PROBLEM_RESOLVED|in_transit|-|sc
HANDED_TO_PARTNER_CARRIER|in_transit|carrier_changed|p
REDIRECTED_BY_CUSTOMER|in_transit|delayed_due_to_customer_request|s
REDIRECTED_BY_CARRIER|in_transit|in_transit|p
DELIVERY_DATE_CHANGED_BY_CUSTOMER|in_transit|delayed_due_to_customer_request|s
ARRIVED_AT_DELIVERY_DEPOT|in_transit|in_transit|p
DELIVERY_SCHEDULED|in_transit|-|s
DAMAGED|in_transit|damaged|pl!
REPACKED|in_transit|-|pc
UNDER_INVESTIGATION|in_transit|carrier_delay|sd!
LOST|in_transit|failed|se!
DISPOSED|in_transit|failed|pl
CONFISCATED|in_transit|failed|pl!
OUT_FOR_DELIVERY|in_delivery|out_for_delivery|p
CUSTOMER_NOTIFIED|in_delivery|-|
SECOND_DELIVERY_ATTEMPT|in_delivery|delivery_second_attempt|p
DELIVERY_ATTEMPTED|in_delivery|delivery_failed|pa!
RECIPIENT_NOT_HOME|delivery_failed|delivery_failed|pa!
BUSINESS_CLOSED|delivery_failed|delivery_failed|pa!
NO_ACCESS|delivery_failed|delivery_failed|pa!
IDENTIFICATION_FAILED|delivery_failed|delivery_failed|pa!
COD_NOT_PAID|delivery_failed|delivery_failed|pa!
ADDRESS_ISSUE|delivery_failed|delivery_failed_address_issue|pa!
RECIPIENT_MOVED|delivery_failed|delivery_failed_address_issue|pa!
FORWARDED_TO_PARCEL_SHOP|delivery_failed|delivery_failed_forwarded_to_parcel_shop|p
READY_FOR_COLLECTION_AT_PARCEL_SHOP|collect|delivered_to_parcel_shop|p!
READY_FOR_COLLECTION_AT_LOCKER|collect|delivered_to_parcel_locker|p!
COLLECTION_REMINDER|collect|-|!
COLLECTED_BY_CUSTOMER|delivered|picked_up|p
SUCCESSFULLY_DELIVERED|delivered|delivered|p
DELIVERED_TO_NEIGHBOUR|delivered|delivered_to_neighbour|p
DELIVERED_TO_LETTERBOX|delivered|delivered_to_letterbox|p
DELIVERED_TO_SAFE_PLACE|delivered|delivered|p
DELIVERED_TO_RECEPTION|delivered|delivered|p
DELIVERED_DAMAGED|delivered|damaged|pl!
DELIVERED_INCOMPLETE|delivered|delivered|pl!
PROOF_OF_DELIVERY_AVAILABLE|delivered|-|
REFUSED|return_transit|refused_then_returned|p
NOT_COLLECTED|return_transit|not_picked_up_then_returned|p!
UNDELIVERABLE_RETURNING|return_transit|failed_returned|p
RETURNED_TO_SENDER|returned|failed_returned|p
RETURN_LABEL_CREATED|return_created|-|
RETURN_IN_TRANSIT|return_transit|-|p
RETURN_RECEIVED|return_received|-|p
RETURN_FAILED|return_failed|-|p
ETA_CHANGED|-|-|
SCAN_RETRACTED|-|-|
TRACKING_EXPIRED|-|-|se
UNMAPPED|-|-|
"""

# The reason that an event name says by itself, as karrio pairs both (docs/decisions/0170).
_REASONS = {
    "HELD_BY_CUSTOMS": "customs_delay",
    "CUSTOMS_DOCUMENTS_MISSING": "customs_documentation",
    "DUTIES_UNPAID": "customs_duties_unpaid",
    "WEATHER_DELAY": "weather_delay",
    "MISROUTED": "carrier_sorting_error",
    "DAMAGED": "carrier_damaged_parcel",
    "DELIVERED_DAMAGED": "carrier_damaged_parcel",
    "UNDER_INVESTIGATION": "parcel_being_researched",
    "LOST": "carrier_parcel_lost",
    "CONFISCATED": "regulatory_hold",
    "RECIPIENT_NOT_HOME": "consignee_not_home",
    "BUSINESS_CLOSED": "consignee_business_closed",
    "NO_ACCESS": "consignee_access_restricted",
    "IDENTIFICATION_FAILED": "consignee_verification_failed",
    "ADDRESS_ISSUE": "consignee_incorrect_address",
    "RECIPIENT_MOVED": "consignee_incorrect_address",
    "REFUSED": "consignee_refused",
}

_EFFECTS = {
    "d": FlagEffect.DELAY,
    "e": FlagEffect.ERROR,
    "l": FlagEffect.LASTING_ERROR,
    "c": FlagEffect.CLEAR,
}


def _entry(position: int, line: str) -> Entry:
    name, phase, group, marks = line.split("|")
    effects = [_EFFECTS[mark] for mark in marks if mark in _EFFECTS]
    return Entry(
        name=name,
        phase=None if phase == "-" else Phase(phase),
        group=None if group == "-" else f"shipment_{group}",
        physical="p" in marks,
        flag=effects[0] if effects else FlagEffect.NONE,
        is_attempt="a" in marks,
        why=_why(_REASONS.get(name), asks="!" in marks),
        is_sub_status="s" in marks,
        position=position,
    )


def _why(reason: str | None, *, asks: bool) -> Why | None:
    return Why(reason_code=reason, action_required=asks) if reason or asks else None


CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (_entry(at, line) for at, line in enumerate(_TABLE.strip().splitlines()))
    }
)
"""Every event name we know. The group column is the forward direction's: see `group_of`."""

CHECKSUM = f"{crc32((_TABLE + repr(_REASONS)).encode()):08x}"
"""Changes with the catalogue."""

_RETURN_PREFIX = "return_shipment_"
_RETURN_PHASE: Mapping[Phase, Phase] = {
    Phase.ORDER_CREATED: Phase.RETURN_CREATED,
    Phase.ORDER_PROCESSED: Phase.RETURN_CREATED,
    Phase.IN_TRANSIT: Phase.RETURN_TRANSIT,
    Phase.IN_DELIVERY: Phase.RETURN_TRANSIT,
    Phase.COLLECT: Phase.RETURN_TRANSIT,
    Phase.DELIVERY_FAILED: Phase.RETURN_FAILED,
    Phase.DELIVERED: Phase.RETURN_RECEIVED,
}
_RETURN_GROUP: Mapping[Phase, str] = {
    Phase.RETURN_CREATED: f"{_RETURN_PREFIX}created",
    Phase.RETURN_TRANSIT: f"{_RETURN_PREFIX}in_transit",
    Phase.RETURN_FAILED: f"{_RETURN_PREFIX}problem",
    Phase.RETURN_RECEIVED: f"{_RETURN_PREFIX}received",
}
_STATES: Mapping[Phase, State] = {
    Phase.ORDER_CREATED: State.PENDING,
    Phase.ORDER_PROCESSED: State.PENDING,
    Phase.COLLECT: State.COLLECT,
    Phase.DELIVERED: State.DELIVERED,
    Phase.RETURN_RECEIVED: State.RETURNED,
    Phase.RETURNED: State.RETURNED,
}


def entry_of(event_name: str) -> Entry:
    """The catalogue's line for a name; a name we do not know counts as `UNMAPPED` (rule 15)."""
    return CATALOGUE.get(event_name) or CATALOGUE[UNMAPPED]


def return_phase(phase: Phase) -> Phase:
    """The phase a forward phase corresponds to on a customer's return."""
    return _RETURN_PHASE.get(phase, phase)


def group_of(entry: Entry, *, is_return: bool) -> str | None:
    """The one notification group of an event in a direction; None does not notify.

    On a return the forward groups fall into five (`return_shipment_*`): trouble of any kind is one.
    """
    if not (is_return or entry.is_return):
        return entry.group
    if entry.phase is None or (entry.group is None and not entry.is_return):
        return None
    if entry.flag in (FlagEffect.DELAY, FlagEffect.ERROR, FlagEffect.LASTING_ERROR):
        return f"{_RETURN_PREFIX}problem"
    if entry.phase is Phase.COLLECT:
        return f"{_RETURN_PREFIX}ready_for_collection"
    return _RETURN_GROUP.get(return_phase(entry.phase))


def state_of(phase: Phase) -> State:
    """The user interface's grouping of a phase."""
    return _STATES.get(phase, State.TRANSIT)
