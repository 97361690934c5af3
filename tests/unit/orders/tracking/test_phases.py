"""The phase that scans add up to: every phase against every event."""

from __future__ import annotations

import pytest

from services.orders.domain.tracking.catalogue import CATALOGUE, Phase
from tests.unit.orders.builders import HOUR, NOON, scan
from tests.unit.orders.tracking.replays import machine, state_of

# How each phase is reached, an hour a scan.
WAYS = {
    "order_processed": (),
    "in_transit": ("PICKED_UP_BY_CARRIER",),
    "in_delivery": ("PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY"),
    "delivery_failed": ("PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY", "RECIPIENT_NOT_HOME"),
    "collect": ("PICKED_UP_BY_CARRIER", "READY_FOR_COLLECTION_AT_PARCEL_SHOP"),
    "delivered": ("PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED"),
    "return_created": ("RETURN_LABEL_CREATED",),
    "return_transit": ("PICKED_UP_BY_CARRIER", "REFUSED"),
    "return_failed": ("RETURN_LABEL_CREATED", "RETURN_IN_TRANSIT", "RETURN_FAILED"),
    "return_received": ("RETURN_LABEL_CREATED", "RETURN_IN_TRANSIT", "RETURN_RECEIVED"),
    "returned": ("PICKED_UP_BY_CARRIER", "REFUSED", "RETURNED_TO_SENDER"),
}
PHASES = tuple(WAYS)

PICK_UPS = "DROPPED_OFF PICKED_UP_BY_CARRIER"
ON_THE_ROAD = """ARRIVAL_AT_TRANSPORT_HUB DEPARTURE_FROM_TRANSPORT_HUB SORTED LEFT_ORIGIN_COUNTRY
 ARRIVED_IN_DESTINATION_COUNTRY CUSTOMS_CLEARANCE_STARTED CUSTOMS_CLEARANCE_COMPLETED
 HELD_BY_CUSTOMS MISROUTED HELD_AT_DEPOT HANDED_TO_PARTNER_CARRIER REDIRECTED_BY_CARRIER
 ARRIVED_AT_DELIVERY_DEPOT DAMAGED REPACKED DISPOSED CONFISCATED"""
ON_THE_VAN = "OUT_FOR_DELIVERY DELIVERY_ATTEMPTED SECOND_DELIVERY_ATTEMPT"
FAILED = """RECIPIENT_NOT_HOME BUSINESS_CLOSED NO_ACCESS IDENTIFICATION_FAILED COD_NOT_PAID
 ADDRESS_ISSUE RECIPIENT_MOVED FORWARDED_TO_PARCEL_SHOP"""
AT_SHOP = "READY_FOR_COLLECTION_AT_PARCEL_SHOP READY_FOR_COLLECTION_AT_LOCKER"
TO_CUSTOMER = """COLLECTED_BY_CUSTOMER DELIVERED_TO_NEIGHBOUR DELIVERED_TO_LETTERBOX
 DELIVERED_TO_SAFE_PLACE"""
DELIVERED = """SUCCESSFULLY_DELIVERED DELIVERED_TO_RECEPTION DELIVERED_DAMAGED
 DELIVERED_INCOMPLETE"""
TURNED_BACK = "REFUSED NOT_COLLECTED UNDELIVERABLE_RETURNING RETURN_IN_TRANSIT"
# Messages about data: they move nothing, ever.
DATA = """ORDER_CREATED ORDER_IN_PROCESSING ORDER_CANCELLED LABEL_CREATED
 ELECTRONIC_ADVICE_RECEIVED AWAITING_HANDOVER CARRIER_PICKUP_FAILED NOT_YET_RECEIVED_BY_CARRIER
 CUSTOMS_DOCUMENTS_MISSING DUTIES_UNPAID CARRIER_DELAY WEATHER_DELAY PROBLEM_RESOLVED
 REDIRECTED_BY_CUSTOMER DELIVERY_DATE_CHANGED_BY_CUSTOMER DELIVERY_SCHEDULED UNDER_INVESTIGATION
 LOST CUSTOMER_NOTIFIED COLLECTION_REMINDER PROOF_OF_DELIVERY_AVAILABLE ETA_CHANGED SCAN_RETRACTED
 TRACKING_EXPIRED UNMAPPED"""

OP, IT, ID, DF, CO, DE, RC, RT, RF, RR, RE = (Phase(phase) for phase in PHASES)
# One column per phase of PHASES; the event comes an hour after the phase was reached.
TABLE = {
    # A pick-up an hour after the end, or after arrival at a shop, may have been stamped late.
    PICK_UPS: (IT, IT, IT, IT, CO, DE, RT, RT, RT, RR, RE),
    ON_THE_ROAD: (IT, IT, IT, IT, CO, DE, RT, RT, RT, RR, RE),
    ON_THE_VAN: (ID, ID, ID, ID, CO, DE, RT, RT, RT, RR, RE),
    FAILED: (DF, DF, DF, DF, CO, DE, RF, RT, RT, RR, RE),
    AT_SHOP: (CO, CO, CO, CO, CO, DE, RT, RT, RT, RR, RE),
    TO_CUSTOMER: (DE, DE, DE, DE, DE, DE, RR, DE, RR, RR, RE),
    DELIVERED: (DE, DE, DE, DE, DE, DE, RR, RE, RR, RR, RE),
    TURNED_BACK: (RT, RT, RT, RT, RT, RT, RT, RT, RT, RR, RE),
    "RETURNED_TO_SENDER": (RE, RE, RE, RE, RE, RE, RE, RE, RE, RR, RE),
    "RETURN_LABEL_CREATED": (RC, IT, ID, DF, CO, RC, RC, RT, RF, RC, RC),
    "RETURN_RECEIVED": (RR, RR, RR, RR, RR, RR, RR, RR, RR, RR, RE),
    "RETURN_FAILED": (RF, RF, RF, RF, RF, RF, RF, RF, RF, RR, RE),
    DATA: PHASES,
}
PAIRS = [
    (start, name, Phase(after))
    for names, row in TABLE.items()
    for name in names.split()
    for start, after in zip(PHASES, row, strict=True)
]


def test_table_names_every_event_once():
    names = [name for line in TABLE for name in line.split()]

    assert sorted(names) == sorted(CATALOGUE)


@pytest.mark.parametrize(("start", "name", "after"), PAIRS)
def test_every_event_in_every_phase(start, name, after):
    way = machine(*WAYS[start])
    assert state_of(*way).phase == start

    assert state_of(*way, scan(name, NOON + len(way) * HOUR)).phase is after
