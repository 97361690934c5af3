"""Whatever several orders and shops do with few numbers, and whatever is scanned when."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings

from services.orders.domain.model.commands import ReportTracking
from services.orders.domain.model.decision import Decision, Event, EventType, Outcome
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.window import Window
from services.orders.domain.model.windows import shares_in, shares_of, windows_of
from services.orders.domain.tracking.catalogue import entry_of
from services.orders.domain.tracking.replay import replay, standing_of
from services.orders.domain.tracking.scan import Direction, Scan
from services.orders.domain.tracking.start import initial_state
from services.orders.domain.value import replace
from tests.unit.orders.builders import Desk, report
from tests.unit.orders.number_plays import Step, plays, with_orders

MANY = settings(max_examples=150, suppress_health_check=list(HealthCheck))


def decided(desk: Desk, steps: list[Step]) -> Iterator[tuple[Step, Decision]]:
    """Send the steps one by one, each at its time."""
    for step in steps:
        desk.now = step.at
        yield step, desk.send(step.command)


def played(steps: list[Step]) -> Desk:
    desk = with_orders()
    for _ in decided(desk, steps):
        pass
    return desk


def tracked(desk: Desk) -> dict[tuple[str, str], object]:
    """The state of each shipment with a number."""
    return {
        (each.number, each.shipment_id): each.tracking
        for order in desk.orders.values()
        for each in order.fulfilled
    }


def at_once(desk: Desk) -> Desk:
    """The same shipments on the same numbers, whose scans all come in one report each."""
    fresh = Desk(orders=dict(desk.orders), now=desk.now)
    start = initial_state(Direction.MERCHANT_CUSTOMER)
    for order in desk.orders.values():
        bare = [replace(s, tracking=start) if s.number else s for s in order.shipments]
        fresh.orders[order.order_id] = replace(order, shipments=tuple(bare))
    for number, parcel in desk.parcels.items():
        owners, private = parcel.owners, parcel.private
        fresh.parcels[number] = Parcel(number=number, owners=owners, private=private)
        if parcel.scans:
            fresh.send(report(*parcel.scans, number=number))
    return fresh


@MANY
@given(plays())
def test_state_follows_from_the_shipments_on_a_number_and_its_set_of_scans(steps):
    desk = played(steps)

    assert tracked(desk) == tracked(at_once(desk))


@MANY
@given(plays())
def test_number_keeps_all_its_scans_and_just_the_shipments_that_have_it(steps):
    desk, reported = with_orders(), set[str]()
    for step, _ in decided(desk, steps):
        if isinstance(step.command, ReportTracking):
            reported |= {each.key for each in step.command.scans}
        owners = {
            (number, owner.shipment_id)
            for number, parcel in desk.parcels.items()
            for owner in parcel.owners
        }
        assert owners == set(tracked(desk))
        assert {s.key for parcel in desk.parcels.values() for s in parcel.scans} == reported


@MANY
@given(plays())
def test_repeat_of_what_was_applied_changes_nothing(steps):
    desk, done = with_orders(), set[str]()
    for step, decision in decided(desk, steps):
        if step.command.item_id in done:
            assert decision.outcome is Outcome.NO_CHANGE
            assert not decision.events
        elif decision.outcome in (Outcome.APPLIED, Outcome.NO_CHANGE):
            done.add(step.command.item_id)


OF_OTHERS = {EventType.SHIPMENT_UPDATED, EventType.ORDER_UPDATED} | {
    EventType.ORDER_DELIVERED,
    EventType.ORDER_PARTIALLY_DELIVERED,
}


@MANY
@given(plays())
def test_command_of_one_order_only_corrects_the_states_of_others(steps):
    desk = with_orders()
    for step, decision in decided(desk, steps):
        if isinstance(step.command, ReportTracking):
            continue
        for event in decision.events:
            if event.order_id != decision.order_id:
                assert event.type in OF_OTHERS
                assert event.data.changed_fields in {("tracking",), ("delivery_state",)}
                assert not event.data.notify
                assert event.data.reason is None


@MANY
@given(plays())
def test_each_customer_is_notified_of_each_thing_once(steps):
    desk, notified = with_orders(), set[object]()
    for _, decision in decided(desk, steps):
        for event in decision.events:
            if event.shipment_id is not None and event.data.notify:
                notice = (event.order_id, *notice_of(desk, event))
                assert notice not in notified
                notified.add(notice)


def notice_of(desk: Desk, event: Event) -> tuple[object, ...]:
    """What a customer is notified of: once for each number, leg, group and attempt."""
    number = event.data.tracking_number
    attempts = 0
    if event.type is EventType.SHIPMENT_SCANNED:
        scans = shares_of(desk.parcels[number])[event.shipment_id]
        steps = {each.scan.occurred_at: each for each in replay(scans, desk.now).steps}
        attempts = standing_of(steps[event.occurred_at]).attempts
    return number, event.data.leg, event.event_group, attempts


@MANY
@given(plays())
def test_one_shop_alone_sees_whose_parcel_it_is(steps):
    desk = with_orders()
    for _, decision in decided(desk, steps):
        shown: dict[object, set[str]] = {}
        for event in decision.events:
            if event.type is EventType.SHIPMENT_SCANNED and is_shown(event):
                data, at = event.data, event.occurred_at
                what = (data.tracking_number, data.carrier_reference, event.event_name, at)
                shown.setdefault(what, set()).add(event.shop)
        assert all(len(shops) == 1 for shops in shown.values()), shown
        for parcel in desk.parcels.values():
            check_privacy(desk, parcel)


def is_shown(event: Event) -> bool:
    data = event.data
    shown = [data.location, data.carrier_text, data.proof, data.pickup]
    assert all(shown) or not any(shown)
    return all(shown)


def check_privacy(desk: Desk, parcel: Parcel) -> None:
    """One shop sees the place of a scan, and none of a parcel that was under way before it came.

    A shop that had the number before sees what it alone saw then, and the places since, if it has
    come back to its parcel (decision 0156).
    """
    windows = windows_of(parcel)
    pickups = {key: state.pickup for key, state in tracked(desk).items()}
    shown: dict[str, set[str]] = {}
    for window in windows:
        owner, share = window.owner, seen_by(window, windows, parcel)
        full = [each for each in share if each.location is not None]
        assert pickups[parcel.number, owner.shipment_id] is None or full
        for each in share:
            is_full = each.location is not None
            assert is_full is (each.text is not None) is (each.proof is not None)
            if is_full:
                shown.setdefault(each.key, set()).add(owner.shop)
        for other in windows:
            if other.owner.shop != owner.shop and was_under_way(parcel, windows, other, window):
                own = [span for span in parcel.private if span.shop == owner.shop]
                late = {s.key for s in full if not any(span.has(s) for span in own)}
                assert window.is_back or not late & keys_of(other, windows, parcel)
    assert all(len(shops) == 1 for shops in shown.values()), shown


def was_under_way(parcel: Parcel, windows: tuple[Window, ...], one: Window, late: Window) -> bool:
    """Whether a parcel moved after its number was attached, before the other shop attached it."""
    share = seen_by(one, windows, parcel)
    moved = [each.occurred_at for each in share if entry_of(each.event_name).physical]
    came = [each.owner.came_at for each in windows if each.owner.shop == late.owner.shop]
    return bool(moved) and one.owner.came_at <= min(moved) < min(came)


def seen_by(window: Window, windows: tuple[Window, ...], parcel: Parcel) -> tuple[Scan, ...]:
    """The scans that a shipment sees, as it sees them."""
    return shares_in(windows, parcel.scans)[window.owner.shipment_id]


def keys_of(window: Window, windows: tuple[Window, ...], parcel: Parcel) -> set[str]:
    """The keys of the scans that a shipment sees."""
    return {each.key for each in seen_by(window, windows, parcel)}
