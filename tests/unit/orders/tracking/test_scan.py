"""What a scan is, how it is explained, and values as they are written down."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from services.orders import store
from services.orders.domain.model.ids import digest_of, event_id_of, scan_key
from services.orders.domain.model.order import Analytics
from services.orders.domain.model.reasons import SENTENCES, Reason
from services.orders.domain.tracking.catalogue import CATALOGUE, entry_of, group_of
from services.orders.domain.tracking.explanation import explain
from services.orders.domain.tracking.naming import NO_MAPS
from services.orders.domain.tracking.scan import (
    Eta,
    Location,
    Pickup,
    Precision,
    Proof,
    precision_of,
)
from services.orders.domain.tracking.state import Effect, Rule
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    Desk,
    attach,
    attribute,
    cancel,
    place,
    product,
    report,
    scan,
)


def test_every_scan_is_explained():
    scans = [
        scan("LABEL_CREATED", NOON, eta=Eta(latest=date(2024, 1, 9))),
        scan("PICKED_UP_BY_CARRIER", NOON + HOUR),
        scan("CARRIER_DELAY", NOON + 2 * HOUR),
        scan("SUCCESSFULLY_DELIVERED", NOON + 3 * HOUR),
        scan("OUT_FOR_DELIVERY", NOON + 4 * HOUR),
        scan("WHAT", NOON + 5 * HOUR),
        scan("SORTED", NOON + 6 * HOUR, scan_id="1"),
        scan("SCAN_RETRACTED", NOON + 7 * HOUR, retracts="1"),
        scan("DROPPED_OFF", NOON + 9 * DAY),
    ]

    verdicts = explain(reversed(scans), NOON + DAY)

    assert [(v.scan.event_name, v.rule, v.effects, v.decides) for v in verdicts] == [
        ("LABEL_CREATED", Rule.DATA_ONLY, (Effect.ETA,), (Effect.ETA,)),
        ("PICKED_UP_BY_CARRIER", Rule.MOVED, (Effect.PHASE,), ()),
        ("CARRIER_DELAY", Rule.DATA_ONLY, (Effect.FLAG,), ()),
        (
            "SUCCESSFULLY_DELIVERED",
            Rule.MOVED,
            (Effect.PHASE, Effect.FLAG),
            (Effect.PHASE, Effect.FLAG),
        ),
        ("OUT_FOR_DELIVERY", Rule.DELIVERED_STANDS, (), ()),
        ("WHAT", Rule.UNMAPPED, (), ()),
        ("SCAN_RETRACTED", Rule.RETRACTION, (), ()),
        ("SORTED", Rule.RETRACTED, (), ()),
        ("DROPPED_OFF", Rule.IN_FUTURE, (), ()),
    ]
    assert verdicts[1].sentence == "It moved the parcel to in_transit."
    assert all(verdict.sentence.endswith(".") for verdict in verdicts)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (("dhl", "OUT_FOR_DELIVERY", None), "OUT_FOR_DELIVERY"),
        (("dhl", " out_for_delivery ", None), "OUT_FOR_DELIVERY"),
        (("dhl", None, "out_for_delivery"), "OUT_FOR_DELIVERY"),
        ((None, None, "ZF"), "UNMAPPED"),
        (("dhl", "PICKED_UP", "SORTED"), "UNMAPPED"),
        ((None, None, None), "UNMAPPED"),
    ],
)
def test_scan_name_follows_from_what_the_carrier_said(said, name):
    assert NO_MAPS.meaning_of(*said).event_name == name


@pytest.mark.parametrize(
    ("at", "said", "precision"),
    [
        (time(0, 0), None, Precision.DAY),
        (time(0, 35), None, Precision.SECOND),
        (time(0, 0), Precision.SECOND, Precision.SECOND),
        (time(7, 0), Precision.DAY, Precision.DAY),
    ],
)
def test_rule_11_midnight_is_a_day_unless_the_carrier_says_otherwise(at, said, precision):
    assert precision_of(datetime.combine(date(2024, 8, 15), at), said) is precision


def test_rule_2_identity_is_the_scan_id_or_what_happened_when():
    def key(**other):
        members = {
            "number": "N1",
            "carrier": "dhl",
            "scan_id": None,
            "name": "SORTED",
            "code": None,
            "occurred_at": NOON,
        }
        return scan_key(**(members | other))

    berlin = NOON.astimezone(timezone(HOUR))
    assert key() == key(occurred_at=berlin)
    different = [key(), key(carrier="ups"), key(code="X"), key(name="LOST"), key(scan_id="1")]
    different += [key(number="N2"), key(occurred_at=NOON + timedelta(minutes=1))]
    different += [key(name=None, text="Sorted"), key(name=None, text="In the depot")]
    assert len(set(different)) == len(different)
    assert key(scan_id="1") == key(scan_id="1", name="LOST", occurred_at=NOON + DAY)
    assert key(code="X") == key(code="X", name="LOST", text="Lost")


def test_every_event_name_has_one_phase_and_one_group_per_direction():
    for name, entry in CATALOGUE.items():
        assert entry_of(name) is entry
        for is_return in (False, True):
            group = group_of(entry, is_return=is_return)
            assert group is None or group.startswith(
                "return_shipment_" if is_return or name.startswith("RETURN_") else "shipment_"
            )


def test_every_reason_has_its_sentence():
    assert set(SENTENCES) == set(Reason)
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())


def test_values_survive_being_written_as_json():
    desk = Desk()
    desk.send(
        place(
            products=(product("a", 2, price=Decimal("1.10")),),
            promised_delivery_date=date(2024, 1, 9),
        )
    )
    desk.send(attribute(order_analytics=Analytics(clicked_at=NOON, extras={"a": [1, "2", None]})))
    desk.send(attach("N1", carrier="dhl", products=(product("a"),)))
    desk.send(
        report(
            scan(
                "SORTED",
                eta=Eta(earliest=date(2024, 1, 9), latest=NOON),
                location=Location(city="X"),
            ),
            scan(
                "OUT_FOR_DELIVERY", NOON + HOUR, pickup=Pickup(name="K"), proof=Proof(signed_by="A")
            ),
        )
    )
    desk.send(cancel())
    order, parcel = desk.order(), desk.parcels["N1"]

    read = store._ORDER.decode(store._dump_order(order))
    assert replace(read, applied=order.applied) == order  # Kept in a column of its own.
    assert store._PARCEL.decode(store._dump_parcel(parcel)) == parcel


def test_ids_are_what_they_were():
    """Written down once: a change would give replays other ids than the first run."""
    desk = Desk()
    desk.send(place())
    order_id = desk.order().order_id

    assert str(order_id) == "1b416922-8bc4-56b7-804c-9082beb77eba"
    assert str(desk.shipment().shipment_id) == "4d67de0e-377b-5d87-be23-bd412672d678"
    assert (
        str(event_id_of(order_id, None, "order.placed", "cause"))
        == "599261d1-25a1-5e62-8f2b-5036e3e0d4b3"
    )
    assert digest_of(order_id) == 1963966509604951735
    assert scan("SORTED").key == "6127ef13043e1c836efc9fbe"
