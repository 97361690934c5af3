"""Notifications that were published before the database was restored to an earlier time.

What was published is read from the records themselves, as `orderflow recall` reads it. Then the
same commands are decided again, hours later.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import accumulate

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.decide import decide
from services.orders.domain.model.commands import Command
from services.orders.domain.model.decision import Event
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.published import Published, raised
from services.orders.domain.tracking.explanation import explain
from services.orders.domain.value import replace
from services.orders.messages import encode, snapshot
from services.orders.operations.recall import PublishedSince
from tests.unit.orders.builders import (
    HOUR,
    NOON,
    SHOP,
    Desk,
    attach,
    cancel,
    place,
    report,
    scan,
)

ID = order_id_of(SHOP, "1")
MINUTE = timedelta(minutes=1)
EVENT_BYTES = 1_000_000


@dataclass
class Life:
    """An order, and what was published of it; `restore` loses the state and keeps the topics."""

    desk: Desk = field(default_factory=Desk)
    known: Published | None = None
    since: PublishedSince = field(default_factory=lambda: PublishedSince(SHOP))
    published: list[Event] = field(default_factory=list)
    backup: Desk = field(default_factory=Desk)

    def send(self, *commands: Command) -> None:
        """Decide commands as the service does, and publish their events."""
        desk = self.desk
        for command in commands:
            world = desk.seen_by(command)
            if self.known is not None:
                orders = {id_: raised(each, self.known) for id_, each in world.orders.items()}
                world = replace(world, orders=orders, published={ID: self.known})
            decision = decide(world, command, desk.now)
            desk.orders |= {order.order_id: order for order in decision.orders}
            desk.parcels |= {parcel.number: parcel for parcel in decision.parcels}
            desk.references |= dict(decision.references)
            for event in decision.events:
                self._publish(event)

    def _publish(self, event: Event) -> None:
        self.published.append(event)
        whole = snapshot.encode(self.desk.orders[ID], EVENT_BYTES)
        record = encode.event_record(event, whole, None)
        self.since.add(record.topic, json.loads(record.value))

    def back_up(self) -> None:
        """Keep the database as it is now; only what follows is read from the topics."""
        self.backup = self.desk.copy()
        self.since = PublishedSince(SHOP)

    def restore(self, hours: float = 6) -> None:
        """The database is as it was, hours later, and what was published since is recalled."""
        now = self.desk.now + hours * HOUR
        self.desk = self.backup
        self.desk.now = now
        if self.since.events:
            self.known = msgspec.json.decode(self.since.as_json(), type=Published)

    @property
    def notified(self) -> list[str]:
        """What customers were notified of, oldest first."""
        return [f"{each.event_name}" for each in self.published if each.data.notify]


@pytest.fixture
def life() -> Life:
    """An order with parcel N1, backed up."""
    life = Life()
    life.send(place(), attach("N1"))
    life.back_up()
    return life


BEFORE = ["ORDER_PLACED", "SHIPMENT_FULFILLED"]


def test_rule_17_scan_that_notified_before_a_restore_counts_however_late_it_comes_again(life):
    lost = report(scan("OUT_FOR_DELIVERY"))
    life.send(lost)
    life.restore(hours=6)

    life.send(lost, report(scan("OUT_FOR_DELIVERY", life.desk.now)))

    assert life.notified == [*BEFORE, "OUT_FOR_DELIVERY"]
    first, second = explain(life.desk.parcels["N1"].scans, NOON, life.desk.shipment().notices)
    assert first.notification == "It notified the customer of shipment_out_for_delivery."
    assert second.notification.startswith("Another event notified of shipment_out_for_delivery")


def test_rule_17_scan_that_comes_before_the_one_that_notified_does_not_notify(life):
    """It lies on another partition, which is read first."""
    lost = report(scan("OUT_FOR_DELIVERY"))
    life.send(lost)
    life.restore(hours=1)

    life.send(report(scan("OUT_FOR_DELIVERY", life.desk.now)), lost)

    assert life.notified == [*BEFORE, "OUT_FOR_DELIVERY"]


def test_scan_that_did_not_notify_before_a_restore_uses_up_nothing(life):
    """It was overtaken then. Read first now it would notify, but its event is published."""
    early, late = report(scan("CARRIER_DELAY")), report(scan("OUT_FOR_DELIVERY", NOON + MINUTE))
    life.desk.now += HOUR
    life.send(late, early)
    life.restore(hours=1)

    life.send(early, late, report(scan("CARRIER_DELAY", life.desk.now)))

    assert life.notified == [*BEFORE, "OUT_FOR_DELIVERY", "CARRIER_DELAY"]


def test_rule_17_number_attached_again_by_another_command_notifies_once():
    life = Life()
    life.send(place())
    life.back_up()
    life.send(attach("N1"))
    life.restore(hours=1)

    life.send(attach("N-1"), report(scan("LABEL_CREATED", life.desk.now)))

    assert life.notified == BEFORE


def test_rule_17_attached_number_that_notified_counts_however_late_it_is_attached_again():
    life = Life()
    life.send(place())
    life.back_up()
    lost = attach("N1")
    life.send(lost)
    life.restore(hours=6)

    life.send(lost, report(scan("LABEL_CREATED", life.desk.now)))

    assert life.notified == BEFORE
    assert life.desk.shipment().notices


def test_attached_number_that_did_not_notify_silences_no_scan():
    life = Life()
    life.send(place())
    life.back_up()
    lost = attach("N1", tracking_placed_at=NOON - 5 * HOUR)
    life.send(lost)
    life.restore(hours=0)
    life.desk.now = NOON - 2 * HOUR

    life.send(lost, report(scan("LABEL_CREATED", life.desk.now)))

    assert life.notified == ["ORDER_PLACED", "LABEL_CREATED"]


def test_order_that_is_placed_again_by_another_command_notifies_once():
    life = Life()
    life.back_up()
    life.send(place())
    life.restore(hours=1)

    life.send(place())

    assert [each.event_name for each in life.published] == ["ORDER_PLACED", "ORDER_PLACED"]
    assert life.notified == ["ORDER_PLACED"]


def test_order_that_is_cancelled_again_by_another_command_notifies_once():
    life = Life()
    life.send(place())
    life.back_up()
    life.send(cancel())
    life.restore(hours=1)

    life.send(cancel())

    assert life.notified == ["ORDER_PLACED", "ORDER_CANCELLED"]


def test_order_that_notified_is_no_import_after_a_restore():
    life = Life()
    life.back_up()
    lost = place()
    life.send(lost)
    life.restore(hours=6)

    life.send(lost, cancel())

    assert life.notified == ["ORDER_PLACED", "ORDER_CANCELLED"]


def test_rule_17_number_that_left_and_came_back_before_a_restore_notifies_once(life):
    lost = [report(scan("PICKED_UP_BY_CARRIER")), place("2"), attach("N1", to="2"), attach("N1")]
    life.send(*lost)
    life.restore(hours=1)

    life.send(*lost, report(scan("SORTED", life.desk.now)))

    mine = [each for each in life.published if each.order_id == ID and each.data.notify]
    assert [each.event_name for each in mine] == [*BEFORE, "PICKED_UP_BY_CARRIER"]


ON_THE_WAY = (
    "LABEL_CREATED",
    "PICKED_UP_BY_CARRIER",
    "SORTED",
    "OUT_FOR_DELIVERY",
    "CARRIER_DELAY",
    "DAMAGED",
    "READY_FOR_COLLECTION_AT_LOCKER",
    "SUCCESSFULLY_DELIVERED",
)
SCANS = st.lists(
    st.tuples(st.sampled_from(ON_THE_WAY), st.sampled_from([0, 1, 90, 300])),
    min_size=1,
    max_size=8,
)


@given(
    SCANS,
    st.integers(0, 8),
    st.integers(0, 8),
    st.sampled_from([0, 0.5, 3, 6, 30]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=300)
def test_rule_17_each_notification_is_published_once_over_a_restore(steps, kept, lost, hours, rng):
    """The order of messages of two topics is another when they are read again."""
    times = accumulate(minutes for _, minutes in steps)
    tracking = [
        report(scan(name, NOON + time * MINUTE))
        for (name, _), time in zip(steps, times, strict=True)
    ]
    commands = [place(), attach("N1")]
    script = _interleaved(rng, commands, tracking[: kept + lost])
    life = Life()
    _play(life, script[:kept])
    life.back_up()
    _play(life, script[kept:])
    life.restore(hours)
    again = [[each for each in topic if each in script[kept:]] for topic in (commands, tracking)]
    _play(life, [*_interleaved(rng, *again), *tracking[kept + lost :]])
    _play(life, [report(scan("OUT_FOR_DELIVERY", life.desk.now))])

    facts = [each for each in life.published if each.data.notify]
    keys = [(e.topic, e.event_group, getattr(e.data, "leg", 0)) for e in facts]
    assert len(set(keys)) == len(keys)
    ids = [each.event_id for each in life.published]
    assert len(set(ids)) == len(ids)


def _interleaved(rng, *topics: Sequence[Command]) -> list[Command]:
    """The messages of several topics, those of each topic in their order."""
    turns = [at for at, messages in enumerate(topics) for _ in messages]
    rng.shuffle(turns)
    readers = [iter(messages) for messages in topics]
    return [next(readers[at]) for at in turns]


def _play(life: Life, commands: Sequence[Command]) -> None:
    """Decide commands; a scan comes when it occurred, or later."""
    for each in commands:
        for found in getattr(each, "scans", ()):
            life.desk.now = max(life.desk.now, found.occurred_at)
        life.send(each)
