"""Properties of numbers that several shipments share, in any interleaving and batching."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import Command, Tracking
from services.orders.domain.model.decision import Event, ShipmentEventData
from services.orders.domain.tracking.scan import Location, Scan
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    SHOP,
    Desk,
    item,
    place,
    ref,
    report,
    scan,
    update_shipment,
    upsert,
    void,
)

ORDERS = ((SHOP, "1"), (SHOP, "2"), ("other", "1"))
EVENTS = (
    "LABEL_CREATED",
    "PICKED_UP_BY_CARRIER",
    "SORTED",
    "OUT_FOR_DELIVERY",
    "RECIPIENT_NOT_HOME",
    "SUCCESSFULLY_DELIVERED",
    "RETURNED_TO_SENDER",
    "LOST",
)
HERE = Location(city="Leipzig")
FEW = settings(max_examples=60, suppress_health_check=list(HealthCheck))

HOURS = st.integers(0, 200 * 24)
SCANS = st.lists(
    st.builds(
        lambda name, hours: scan(name, NOON + timedelta(hours=hours), location=HERE),
        st.sampled_from(EVENTS),
        HOURS,
    ),
    max_size=10,
)
HAND_OVERS = st.lists(HOURS, min_size=len(ORDERS), max_size=len(ORDERS))


def attachments(hand_overs: list[int]) -> list[Command]:
    """One command for each order, with the time that its shop says."""
    return [
        upsert(
            ref(number, shop=shop),
            trackings=(
                Tracking(tracking_number="N1", tracking_placed_at=NOON + timedelta(hours=hours)),
            ),
        )
        for (shop, number), hours in zip(ORDERS, hand_overs, strict=True)
    ]


def a_desk() -> Desk:
    desk = Desk(now=NOON + 201 * DAY)
    for shop, number in ORDERS:
        desk.send(place(number, shop=shop))
    return desk


def played(commands: list[Command]) -> Desk:
    desk = a_desk()
    for command in commands:
        desk.send(command)
    return desk


def states(desk: Desk) -> list[object]:
    return [
        shipment.tracking for key in ORDERS for shipment in desk.order(key[1], key[0]).shipments
    ]


def reports(found: list[Scan], cuts: list[int]) -> list[Command]:
    """The scans in reports of the sizes in `cuts`, and the first ones again at the end."""
    commands: list[Command] = []
    rest = [*found, *found[:3]]
    for size in (*cuts, len(rest)):
        if rest[:size]:
            commands.append(report(*rest[:size]))
        rest = rest[size:]
    return commands


@FEW
@given(SCANS, HAND_OVERS, st.lists(st.integers(1, 4), max_size=5), st.data())
def test_shared_number_ends_in_one_state_in_any_interleaving(found, hand_overs, cuts, data):
    attached = attachments(hand_overs)
    straight = played([*attached, *reports(found, [])])
    shuffled = data.draw(st.permutations([*attached, *reports(found[::-1], cuts)]))

    other = played(list(shuffled))

    assert states(other) == states(straight)


@FEW
@given(SCANS, HAND_OVERS, st.data())
def test_shared_number_notifies_each_customer_once(found, hand_overs, data):
    commands = [*attachments(hand_overs), *reports(found, [1] * len(found))]
    desk = a_desk()
    for command in data.draw(st.permutations(commands)):
        desk.now = data.draw(st.sampled_from([each.occurred_at for each in found] + [desk.now]))
        desk.send(command)

    facts = [e for e in desk.events if isinstance(e.data, ShipmentEventData) and e.data.notify]
    notices = Counter(
        (e.shipment_id, e.data.leg, e.event_group, attempt_of(e, found)) for e in facts
    )
    assert all(count == 1 for count in notices.values()), notices


def attempt_of(event: Event, found: list[Scan]) -> object:
    """Attempts are distinguished by the scan: after a failed one, a group may notify again."""
    has_failed = any(each.event_name == "RECIPIENT_NOT_HOME" for each in found)
    return event.occurred_at if has_failed else None


@FEW
@given(SCANS, HAND_OVERS, st.data())
def test_shared_number_shows_its_place_to_one_shop_alone(found, hand_overs, data):
    desk = a_desk()
    commands = [*attachments(hand_overs), *reports(found, [1] * len(found))]
    for command in data.draw(st.permutations(commands)):
        shown: dict[object, set[str]] = {}
        for event in desk.send(command).events:
            if event.type == "shipment.scanned" and event.data.location is not None:
                shown.setdefault((event.event_name, event.occurred_at), set()).add(event.shop)
        assert all(len(shops) == 1 for shops in shown.values()), shown


def stays_of(hand_overs: list[int], kinds: list[str]) -> list[list[Command]]:
    """For each order the commands that it sends, in this order: see `STAYS`."""
    return [
        [replace(again, **item()) if again is attach else off for again in STAYS[kind](attach, off)]
        for attach, off, kind in zip(attachments(hand_overs), voids(), kinds, strict=True)
    ]


def voids() -> list[Command]:
    """The void of each order; a parcel that was delivered is taken off as well."""
    return [
        void(ref(number, shop=shop), tracking_number="N1", is_forced=True, reason="wrong")
        for shop, number in ORDERS
    ]


STAYS: dict[str, Callable[[Command, Command], list[Command]]] = {
    "stays": lambda attach, off: [attach],
    "leaves": lambda attach, off: [attach, off],
    "comes back": lambda attach, off: [attach, off, attach],
}
KINDS = st.lists(st.sampled_from(sorted(STAYS)), min_size=len(ORDERS), max_size=len(ORDERS))


def interleaved(queues: list[list[Command]], data: st.DataObject) -> list[Command]:
    """The commands of all queues in one order; each queue keeps its own."""
    turns = [place for place, queue in enumerate(queues) for _ in queue]
    rest = [list(queue) for queue in queues]
    return [rest[place].pop(0) for place in data.draw(st.permutations(turns))]


@FEW
@given(SCANS, HAND_OVERS, KINDS, st.lists(st.integers(1, 4), max_size=5), st.data())
def test_voided_number_ends_as_if_the_order_had_never_named_it(
    found, hand_overs, kinds, cuts, data
):
    attached = attachments(hand_overs)
    remain = [each for each, kind in zip(attached, kinds, strict=True) if kind != "leaves"]
    straight = played([*remain, *reports(found, [])])
    reported = [[each] for each in reports(found[::-1], cuts)]

    other = played(interleaved([*stays_of(hand_overs, kinds), *reported], data))

    assert states(other) == states(straight)


TO_A_REPLACED_NUMBER = ("PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY", "RECIPIENT_NOT_HOME", "SORTED")
"""A delivered parcel keeps its number, so the order of a delivery and a replacement counts."""
OF_TWO_NUMBERS = st.lists(
    st.builds(
        lambda name, number, hours: (number, scan(name, NOON + hours * HOUR, number=number)),
        st.sampled_from(TO_A_REPLACED_NUMBER),
        st.sampled_from(["N1", "N2"]),
        HOURS,
    ),
    max_size=10,
)
CORRECTIONS: dict[str, tuple[str, ...]] = {
    "stays": ("N1",),
    "is corrected": ("N1", "N2"),
    "is corrected twice": ("N1", "N2", "N1"),
    "is changed": ("N1", "change to N2"),
    "is corrected and changed": ("N2", "N1", "change to N2"),
}
CORRECTED = st.lists(
    st.sampled_from(sorted(CORRECTIONS)), min_size=len(ORDERS), max_size=len(ORDERS)
)


def numbered(order: tuple[str, str], hours: int, text: str) -> Command:
    """A command that gives the one delivery of an order a number: see `CORRECTIONS`."""
    shop, number = order
    if text.startswith("change"):
        said = {"external_shipment_id": "f1", "tracking_number": text[-2:]}
        return update_shipment(ref(number, shop=shop), **said)
    placed_at = NOON + hours * HOUR
    said = Tracking(tracking_number=text, external_shipment_id="f1", tracking_placed_at=placed_at)
    return upsert(ref(number, shop=shop), trackings=(said,))


def first_given(order: tuple[str, str], hours: int, kind: str) -> Command:
    """The number that an order has in the end, as the only one that it is given."""
    last = CORRECTIONS[kind][-1]
    # A change says no hand-over: it happens when it is decided.
    return numbered(order, 201 * 24 if last.startswith("change") else hours, last[-2:])


@FEW
@given(OF_TWO_NUMBERS, HAND_OVERS, CORRECTED, st.data())
def test_replaced_number_ends_as_if_the_order_had_never_named_it(found, hand_overs, kinds, data):
    orders = list(zip(ORDERS, hand_overs, kinds, strict=True))
    reported = [report(each, number=number) for number, each in found]
    straight = played([*(first_given(*each) for each in orders), *reported])
    queues = [
        [numbered(order, hours, text) for text in CORRECTIONS[kind]]
        for order, hours, kind in orders
    ]

    commands = interleaved([*queues, *([each] for each in reported)], data)
    other = played(with_repeats(commands, data))

    assert states(other) == states(straight)


def with_repeats(commands: list[Command], data: st.DataObject) -> list[Command]:
    """The commands; each may come again, as the same item, anywhere after its place."""
    found: list[Command] = []
    for at, command in enumerate(commands):
        found.append(command)
        again = data.draw(st.lists(st.sampled_from(commands[: at + 1]), max_size=1))
        found += again
    return found


@FEW
@given(SCANS, HAND_OVERS, KINDS, st.data())
def test_shared_and_voided_number_tells_nothing_twice(found, hand_overs, kinds, data):
    reported = [[each] for each in reports(found, [1] * len(found))]
    desk = a_desk()
    for command in interleaved([*stays_of(hand_overs, kinds), *reported], data):
        desk.now = data.draw(st.sampled_from([each.occurred_at for each in found] + [desk.now]))
        desk.send(command)

    assert len({each.event_id for each in desk.events}) == len(desk.events)
    facts = [e for e in desk.events if isinstance(e.data, ShipmentEventData) and e.data.notify]
    notices = Counter(
        (e.shipment_id, e.data.leg, e.event_group, attempt_of(e, found)) for e in facts
    )
    assert all(count == 1 for count in notices.values()), notices
