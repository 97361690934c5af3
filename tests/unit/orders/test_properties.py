"""What holds of any scans in any order, and of any commands whatsoever."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import Command, Tracking
from services.orders.domain.model.decision import Event, ShipmentEventData
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.order import Address, Analytics, Order, Product
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.tracking.catalogue import CATALOGUE
from services.orders.domain.tracking.explanation import explain
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Direction, Eta, Precision, Scan
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    Desk,
    attach,
    attribute,
    cancel,
    fields,
    item,
    place,
    ref,
    report,
    scan,
    update,
    update_shipment,
    upsert,
    void,
)

settings.register_profile("orders", max_examples=60, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(settings.get_profile("orders"))

CARRIERS = st.sampled_from([None, "dhl", "ups"])
OFTEN = st.sampled_from(
    [
        "PICKED_UP_BY_CARRIER",
        "OUT_FOR_DELIVERY",
        "RECIPIENT_NOT_HOME",
        "SUCCESSFULLY_DELIVERED",
        "SCAN_RETRACTED",
    ]
)
NAMES = st.one_of(OFTEN, st.sampled_from(sorted(CATALOGUE)), st.just("WHO KNOWS"))
ETAS = st.one_of(
    st.none(),
    st.builds(Eta, latest=st.dates()),
    st.integers(0, 99).map(lambda n: Eta(earliest=NOON + n * HOUR, latest=NOON + n * DAY)),
)
TIMES = st.one_of(
    st.integers(0, 40).map(lambda n: NOON + n * HOUR),
    st.integers(-3, 4).map(lambda n: NOON.replace(hour=0) + n * DAY),
    st.sampled_from([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]),
)
IDS = st.sampled_from([None, None, "1", "2", "3"])


def scans(number: str = "N1", carriers: st.SearchStrategy[str | None] = CARRIERS):
    return st.builds(
        scan,
        NAMES,
        TIMES,
        number=st.just(number),
        carrier=carriers,
        scan_id=IDS,
        retracts=st.sampled_from([None] * 6 + ["1", "2"]),
        precision=st.sampled_from(list(Precision)),
        eta=ETAS,
        attempt=st.sampled_from([None, None, 1, 3]),
        direction=st.sampled_from([None, None, None, *Direction]),
        text=st.sampled_from([None, "a", "b"]),
    )


SETS_OF_SCANS = st.lists(scans(), max_size=12)


@FEW
@given(SETS_OF_SCANS, st.randoms(use_true_random=False))
def test_p5_state_is_a_function_of_the_set_of_scans(found, rng):
    known = {each.key: each for each in found}
    shuffled = list(known.values())
    rng.shuffle(shuffled)

    straight, other = replay(known.values(), NOON + DAY), replay(shuffled, NOON + DAY)

    assert straight == replace(other, aside=straight.aside)
    assert {a.scan.key for a in straight.aside} == {a.scan.key for a in other.aside}
    verdicts = explain(shuffled, NOON + DAY)
    assert sorted(v.scan.key for v in verdicts) == sorted(known)


@FEW
@given(SETS_OF_SCANS, st.integers(0, 3), st.randoms(use_true_random=False))
def test_p5_reports_end_the_same_however_they_come(found, attached_after, rng):
    commands: list[Command] = [report(each, carrier=None) for each in found]
    straight = _deliver(commands, [place(), attach("N1")], 0)

    shuffled = _shuffled(found, rng)
    other = _deliver(shuffled, [place(), attach("N1")], min(attached_after, len(shuffled)))

    assert _without_trails(straight) == _without_trails(other)
    ends = [replace(desk.shipment(), notices=None) for desk in (straight, other)]
    assert ends[0] == ends[1]
    if all(map(_is_in_window, found)):
        assert straight.parcels == other.parcels
        heard = [_scan_events(desk.events) for desk in (straight, other)]
        assert heard[0] == heard[1]


def _without_trails(desk: Desk) -> list[Parcel]:
    return [replace(parcel, trail=None) for parcel in desk.parcels.values()]


def _is_in_window(scan: Scan) -> bool:
    """Of two versions of one scan, one may lie before the window: it has no event then."""
    return scan.occurred_at > NOON - 400 * DAY


def _deliver(reports: list[Command], order: list[Command], at: int) -> Desk:
    desk = Desk(now=NOON + DAY)
    for command in (*reports[:at], *order, *reports[at:]):
        desk.send(command)
    return desk


def _shuffled(found: list[Scan], rng: random.Random) -> list[Command]:
    """The scans repeated, shuffled and cut into other reports."""
    again = [*found, *rng.sample(found, k=len(found) // 2)]
    rng.shuffle(again)
    reports: list[Command] = []
    while again:
        size = rng.randint(1, 4)
        reports.append(report(*again[:size], carrier=None))
        again = again[size:]
    return reports


def _scan_events(events: list[Event]) -> set[object]:
    return {event.event_id for event in events if event.type == "shipment.scanned"}


COURSE = (
    "PICKED_UP_BY_CARRIER",
    "ARRIVAL_AT_TRANSPORT_HUB",
    "DEPARTURE_FROM_TRANSPORT_HUB",
    "OUT_FOR_DELIVERY",
    "RECIPIENT_NOT_HOME",
    "OUT_FOR_DELIVERY",
    "NO_ACCESS",
    "OUT_FOR_DELIVERY",
    "READY_FOR_COLLECTION_AT_LOCKER",
    "COLLECTED_BY_CUSTOMER",
)


@FEW
@given(st.sets(st.integers(0, len(COURSE) - 1)), st.randoms(use_true_random=False))
def test_p5_a_shuffled_run_notifies_no_more_than_the_run_in_order(kept, rng):
    found = [scan(COURSE[n], NOON + n * timedelta(minutes=61)) for n in sorted(kept)]
    in_order = _notified(found, [each.occurred_at for each in found])
    rng.shuffle(found)
    latest = max((each.occurred_at for each in found), default=NOON)

    shuffled = _notified(found, [latest] * len(found))

    assert shuffled <= in_order


def test_p5_no_order_of_arrival_notifies_more_than_the_run_in_order():
    for kept in combinations(range(len(COURSE)), 4):
        found = [scan(COURSE[n], NOON + n * timedelta(minutes=61)) for n in kept]
        in_order = _notified(found, [each.occurred_at for each in found])
        for shuffled in permutations(found):
            clock = [found[-1].occurred_at] * len(found)
            assert _notified(list(shuffled), clock) <= in_order, shuffled


def _notified(found: list[Scan], clock: list[datetime]) -> Counter[str]:
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1"))
    for each, now in zip(found, clock, strict=True):
        desk.now = now
        desk.send(report(each))
    facts = [e for e in desk.events if isinstance(e.data, ShipmentEventData) and e.data.notify]
    return Counter(str(event.event_group) for event in facts if event.type == "shipment.scanned")


ORDERS, SHOPS = ["1", "2", "3"], ["shop", "shop", "other"]
NUMBERS = ["N1", "N2", "n-1", "N3"] * 5 + [""]
WHEN = st.one_of(st.none(), TIMES)
PRODUCTS = st.lists(
    st.builds(Product, sku=st.sampled_from("aaaaabbbbbc"), quantity=st.integers(0, 2)), max_size=2
).map(tuple)
MAYBE_PRODUCTS = st.one_of(st.none(), PRODUCTS)
SENT = st.builds(
    lambda version, at: item(source_version=version, updated_at=at),
    st.one_of(st.none(), st.none(), st.integers(0, 3)),
    st.one_of(st.none(), st.none(), TIMES),
)
REFERENCES = st.one_of(
    st.builds(ref, st.sampled_from(ORDERS), st.just("order_number"), shop=st.sampled_from(SHOPS)),
    st.builds(
        ref,
        st.sampled_from(["X", "Y"]),
        st.sampled_from(["external_id", "order_name"]),
        shop=st.sampled_from(SHOPS),
    ),
    st.builds(ref, st.sampled_from([str(order_id_of("shop", "1")), "no uuid"]), st.just("uuid")),
)
EXPECTED = st.sampled_from([None, 1, 2, 3] * 5 + [0, 101])
MAYBE_NAME = st.sampled_from([None] * 12 + ["X", "Y"])
ANALYTICS = st.one_of(st.none(), st.builds(Analytics, source=st.sampled_from(["a", "b"])))
FIELDS = st.builds(
    fields,
    st.sampled_from(ORDERS),
    external_id=MAYBE_NAME,
    order_name=MAYBE_NAME,
    email_id=st.sampled_from([None, "a", "b"]),
    products=MAYBE_PRODUCTS,
    expected_number_of_shipments=EXPECTED,
    order_analytics=ANALYTICS,
)
TRACKINGS = st.lists(
    st.builds(
        Tracking,
        tracking_number=st.sampled_from(NUMBERS),
        carrier_reference=CARRIERS,
        tracking_placed_at=WHEN,
        external_shipment_id=st.sampled_from([None, "d"]),
        products=MAYBE_PRODUCTS,
    ),
    max_size=2,
).map(tuple)
UPSERTS = st.builds(
    lambda reference, order, trackings, analytics, sent: upsert(
        reference, order, trackings, order_analytics=analytics, **sent
    ),
    REFERENCES,
    st.one_of(st.none(), FIELDS),
    TRACKINGS,
    ANALYTICS,
    SENT,
)
# Most upserts of a shop are consistent: the reference is the order's own number.
ORDINARY = st.builds(
    lambda order, trackings, shop, sent: upsert(
        ref(order.order_number, shop=shop), order, trackings, **sent
    ),
    FIELDS,
    TRACKINGS,
    st.sampled_from(SHOPS),
    SENT,
)
REPORTS = st.builds(
    lambda number, found: report(*found, number=number),
    st.sampled_from(NUMBERS),
    st.lists(scans(), max_size=4),
)
COMMANDS = st.one_of(
    ORDINARY,
    UPSERTS,
    REPORTS,
    st.builds(
        lambda number, shop, expected, sent: place(
            number, shop=shop, sent=sent, expected_number_of_shipments=expected
        ),
        st.sampled_from(ORDERS),
        st.sampled_from(SHOPS),
        EXPECTED,
        SENT,
    ),
    st.builds(
        lambda reference, expected, sent: update(
            reference,
            expected_number_of_shipments=expected,
            address=Address(city="X") if expected else None,
            **sent,
        ),
        REFERENCES,
        EXPECTED,
        SENT,
    ),
    st.builds(
        lambda reference, at, sent: cancel(reference, cancelled_at=at, **sent),
        REFERENCES,
        WHEN,
        SENT,
    ),
    st.builds(
        lambda reference, number, products, sent: update_shipment(
            reference, tracking_number=number, products=products, **sent
        ),
        REFERENCES,
        st.sampled_from(NUMBERS),
        MAYBE_PRODUCTS,
        SENT,
    ),
    st.builds(
        lambda reference, said, forced, sent: void(
            reference, **said, is_forced=forced, reason="wrong", **sent
        ),
        REFERENCES,
        st.one_of(
            st.fixed_dictionaries({"tracking_number": st.sampled_from(NUMBERS)}),
            st.just({"external_shipment_id": "d"}),
        ),
        st.booleans(),
        SENT,
    ),
    st.builds(
        lambda reference, said, sent: attribute(reference, order_analytics=said, **sent),
        REFERENCES,
        st.builds(Analytics, medium=st.sampled_from(["a", "b"])),
        SENT,
    ),
)
PLAYS = st.lists(COMMANDS, min_size=1, max_size=14)


def started() -> Desk:
    """A desk with orders in both shops and a parcel under way, so that most commands find one."""
    goods = (Product(sku="a", quantity=5), Product(sku="b", quantity=5))
    desk = Desk()
    desk.send(place("1", external_id="X", products=goods, expected_number_of_shipments=2))
    desk.send(place("2", products=goods))
    desk.send(place("1", shop="other", order_name="Y"))
    desk.send(attach("N1"))
    return desk


START = started()


@FEW
@given(PLAYS, st.lists(st.integers(0, 50), max_size=14))
def test_commands_never_raise_or_break_an_invariant(commands, hours):
    """The desk checks every decision: numbers, versions, drafts, statuses, unique event ids."""
    desk = START.copy()
    for command, pause in zip(commands, [*hours, *[0] * len(commands)], strict=False):
        desk.now += pause * HOUR
        desk.send(command)

    owners = [(p.number, o) for p in desk.parcels.values() for o in p.owners if o.until is None]
    held = {(s.number, s.shipment_id) for o in desk.orders.values() for s in o.fulfilled}
    assert {(number, o.shipment_id) for number, o in owners} <= held
    for order in desk.orders.values():
        mine = [event for event in desk.events if event.order_id == order.order_id]
        assert [event.order_version for event in mine] == list(range(1, order.version + 1))
        for topic in ("orders.events", "shipments.events"):
            numbers = [event.sequence for event in mine if event.topic == topic]
            assert numbers == list(range(1, len(numbers) + 1))


@FEW
@given(PLAYS)
def test_replay_makes_the_same_orders_and_events(commands):
    first, second = START.copy(), START.copy()
    for command in commands:
        first.send(command)
    for command in commands:
        second.send(command)

    assert first == second


@FEW
@given(PLAYS)
def test_everything_sent_twice_is_once(commands):
    once, twice = START.copy(), START.copy()
    for command in commands:
        once.send(command)
        twice.send(command)
        twice.send(command)

    assert _settled(once) == _settled(twice)
    assert once.events == twice.events


def _settled(desk: Desk) -> tuple[dict[object, Order], object]:
    return dict(desk.orders), desk.parcels


@FEW
@given(st.integers(1, 100), st.integers(0, 6), st.lists(st.integers(1, 100), max_size=4))
def test_drafts_fill_what_is_expected_and_not_handed_over(expected, sent, changes):
    desk = Desk()
    desk.send(place(expected_number_of_shipments=expected))
    desk.send(attach(*(f"N{n}" for n in range(sent))))
    for change in changes:
        desk.send(update(expected_number_of_shipments=change))

        order = desk.order()
        drafts = [shipment for shipment in order.shipments if shipment.is_draft]
        assert len(drafts) == max(0, change - sent)
        assert len(order.fulfilled) == sent
