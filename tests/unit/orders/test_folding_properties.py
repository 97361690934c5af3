"""Properties of folding: a number with a bound on its scans is decided as one without (rule 3b)."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import Command, Tracking
from services.orders.domain.model.decision import Decision, EventType, World
from services.orders.domain.model.reasons import Reason
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    SHOP,
    Desk,
    attach,
    item,
    place,
    ref,
    report,
    scan,
    upsert,
)
from tests.unit.orders.histories import IDS, LATER, NAMES, drawn_scan, in_order, lives
from tests.unit.orders.test_folding import MINUTE, attached
from tests.unit.orders.test_properties import ETAS, PLAYS, START

MANY = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Bounded(Desk):
    """A desk that keeps few scans of a number."""

    scans_max: int = 6

    def seen_by(self, command: Command) -> World:
        return replace(super().seen_by(command), scans_max=self.scans_max)


def bounded_from(desk: Desk, scans_max: int) -> Bounded:
    return Bounded(**vars(desk.copy()), scans_max=scans_max)


ENDS_AND_PICK_UPS = st.sampled_from(
    ["SUCCESSFULLY_DELIVERED"] * 3
    + ["PICKED_UP_BY_CARRIER"] * 3
    + ["SORTED", "UNMAPPED", "OUT_FOR_DELIVERY", "DAMAGED", "RETURNED_TO_SENDER"]
)


@st.composite
def long_histories(draw: st.DrawFn) -> list[Scan]:
    """Scans in the order of rule 8, none of which is retracted."""
    found, at = [], NOON
    names = draw(st.sampled_from([NAMES, ENDS_AND_PICK_UPS]))
    for _ in range(draw(st.integers(6, 40))):
        at += draw(st.sampled_from([0, 0.2, 0.5, 0.7, 1.2, 5, 11, 12.5, 13, 25])) * HOUR
        code = draw(st.sampled_from([None, None, "a", "b"]))
        found.append(drawn_scan(draw, names, at, **draw(IDS), code=code, eta=draw(ETAS)))
    return in_order(found)


def batches(rng: random.Random, scans: list[Scan]) -> list[list[Scan]]:
    """The scans in consecutive reports."""
    found: list[list[Scan]] = []
    while scans:
        count = rng.choice([1, 1, 2, 3, 8])
        found.append(rng.sample(scans[:count], len(scans[:count])))
        scans = scans[count:]
    return found


def seen_from_outside(decision: Decision) -> Decision:
    """A decision without the parcels that it stores."""
    return replace(decision, parcels=())


@MANY
@given(long_histories(), st.integers(3, 12), st.randoms(use_true_random=False), st.booleans())
def test_folded_history_that_came_in_order_is_decided_as_if_all_were_kept(
    found, most, rng, is_fresh
):
    straight = attached()
    bounded = bounded_from(straight, most)

    for batch in batches(rng, found):
        newest = max(each.occurred_at for each in batch)
        straight.now = bounded.now = newest + DAY if is_fresh else LATER
        command = report(*batch, carrier=None)
        expected, decision = straight.send(command), bounded.send(command)
        assert seen_from_outside(decision) == seen_from_outside(expected)
        assert len(bounded.parcels["N1"].scans) <= most

    assert bounded.order() == straight.order()


@MANY
@given(
    st.one_of(lives(), lives(), PLAYS),
    st.integers(3, 6),
    st.lists(st.integers(0, 20), max_size=16),
    st.randoms(use_true_random=False),
)
def test_any_commands_in_any_order_publish_each_scan_once_of_each_owner(commands, most, hours, rng):
    """The desk checks each decision: no event comes twice, and numbers have no gaps."""
    desk = bounded_from(START, most)
    played = [*commands, *rng.sample(commands, len(commands))]

    for command, pause in zip(played, [*hours, *[0] * len(played)], strict=False):
        desk.now += pause * HOUR
        desk.send(replace(command, **item()))
        assert all(len(parcel.scans) <= most for parcel in desk.parcels.values())


def test_scan_that_left_its_window_before_it_was_dropped_is_a_repeat_when_the_window_grows():
    desk = bounded_from(attached(tracking_placed_at=NOON), 3)
    first, second, third = (
        scan(name, NOON, carrier="dhl")
        for name in ("PICKED_UP_BY_CARRIER", "SORTED", "OUT_FOR_DELIVERY")
    )
    desk.send(report(first, second, carrier=None))
    desk.send(place("2"))
    desk.send(attach("N1", to="2", carrier="ups", tracking_placed_at=NOON))
    desk.send(report(third, carrier=None))
    desk.send(report(scan("LOST", NOON, carrier="dhl"), carrier=None))
    desk.send(attach("N1", carrier="dhl"))

    assert desk.send(report(first, second, carrier=None)).reason is Reason.DUPLICATE


ON_THE_WAY = ["DROPPED_OFF", "SORTED", "OUT_FOR_DELIVERY", "NO_ACCESS", "DAMAGED", "UNMAPPED"]


@MANY
@given(st.integers(3, 8), st.integers(8, 30), st.randoms(use_true_random=False))
def test_any_order_of_arrival_publishes_each_scan_once_and_loses_no_delivery(most, count, rng):
    desk = bounded_from(attached(), most)
    desk.now = LATER
    at = [NOON + n * 7 * HOUR for n in range(count)]
    found = [scan(rng.choice(ON_THE_WAY), each, code=str(each)) for each in at]
    found.append(scan("SUCCESSFULLY_DELIVERED", rng.choice(at) + MINUTE))

    for batch in batches(rng, rng.sample(found, len(found))):
        desk.send(report(*batch))
        desk.send(report(*batch))

    scanned = [event for event in desk.events if event.type is EventType.SHIPMENT_SCANNED]
    assert len(scanned) == len(found)
    assert desk.shipment().tracking.delivered_at == found[-1].occurred_at


@MANY
@given(
    st.integers(3, 8),
    st.integers(8, 30),
    st.sampled_from([SHOP, "elsewhere"]),
    st.randoms(use_true_random=False),
)
def test_shipments_on_one_number_have_each_an_event_for_each_scan_after_they_came(
    most, count, shop, rng
):
    desk = bounded_from(attached(tracking_placed_at=NOON), most)
    desk.send(place("2", shop=shop))
    desk.now = LATER
    found = [scan(rng.choice(ON_THE_WAY), NOON + n * 7 * HOUR, code=str(n)) for n in range(count)]
    reports = batches(rng, rng.sample(found, count))
    before = rng.randrange(len(reports))
    tracking = Tracking(tracking_number="N1", tracking_placed_at=NOON)

    for batch in reports[:before]:
        desk.send(report(*batch))
    desk.send(upsert(ref("2", shop=shop), trackings=(tracking,)))
    for batch in reports[before:]:
        desk.send(report(*batch))
        desk.send(report(*batch))

    scanned = Counter(e.order_id for e in desk.events if e.type is EventType.SHIPMENT_SCANNED)
    assert scanned[desk.order().order_id] == count
    later = sum(map(len, reports[before:]))
    assert later <= scanned[desk.order("2", shop).order_id] <= count
