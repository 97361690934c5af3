"""A case: orders of some shops, tracking numbers, and what becomes of them in a few rounds.

Each **stage** of a case is published in a round of its own. All is decided and published before the
next round begins, so what one stage sends comes before what the next one sends, on all topics and
replicas. Within a stage only the commands of one order keep their order: scans, commands of
different orders, and repeats of all of them come in any order.

So an answer is certain if it holds for every order within a stage. Business time is the round's,
whenever a replica decides: times of scans and hand-overs are written into the messages, and what
takes the present time (the attachment of a number) has the same time in the whole stage.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chaos.numbers.answers import CaseAnswer, ScanAnswer, ShipmentAnswer
from demo.facts import plain_number
from demo.messages import command, tracking
from demo.script import ScriptMessage

STAGE_LASTS = timedelta(minutes=2)
"""Business time from one round to the next."""
CARRIER = "dhl"
MARK = "own."
"""Begins every text that is of one shop, so that the checker finds it wherever it is published."""
REPEATED_LATER = 0.2
NAMED_INSIDE = ("order.place", "orders.fulfill_bulk")
"""Commands that name their orders inside."""
REPLACED_BY = ("order.upsert", "orders.fulfill_bulk", "shipment.update")
GROUPS = {
    "PICKED_UP_BY_CARRIER": "shipment_in_transit",
    "ARRIVAL_AT_TRANSPORT_HUB": "shipment_in_transit",
    "OUT_FOR_DELIVERY": "shipment_out_for_delivery",
    "SUCCESSFULLY_DELIVERED": "shipment_delivered",
}


@dataclass(slots=True)
class Case:
    """One case as it goes: acts add messages to the present stage, and move the answer."""

    name: str
    begins_at: datetime
    rng: random.Random
    stages: list[list[list[ScriptMessage]]] = field(default_factory=list)
    """By stage: lists of messages that keep their order, each."""
    answers: list[CaseAnswer] = field(default_factory=list)
    """After each stage."""
    answer: CaseAnswer = field(default_factory=CaseAnswer)
    orders: list[CaseOrder] = field(default_factory=list)
    once: set[str] = field(default_factory=set)
    """Ids of commands that must not come again in a later stage, where they would be decided
    otherwise: what was refused is not remembered."""
    _published: list[ScriptMessage] = field(default_factory=list)
    _loose: list[ScriptMessage] = field(default_factory=list)
    _count: int = 0

    @property
    def now(self) -> datetime:
        """Business time of the stage."""
        return self.begins_at + len(self.stages) * STAGE_LASTS

    def at(self, minutes: float) -> datetime:
        """So many minutes after the case began. It is a business time, and may be any stage's."""
        return self.begins_at + timedelta(minutes=minutes)

    def end_stage(self) -> None:
        """Keep the stage and its answer. Some messages of earlier stages are sent in it again."""
        sent = [order.take_stage() for order in self.orders] + [[each] for each in self._loose]
        self.stages.append([*filter(None, sent), *self._again()])
        self._published += [each for messages in sent for each in messages]
        self.answer.sent = {id_of(each) for each in self._published}
        self.answers.append(copy.deepcopy(self.answer))
        self._loose = []

    def _again(self) -> list[list[ScriptMessage]]:
        """Some messages of earlier stages, as a producer sends that saw no answer for long."""
        return [
            [each]
            for each in self._published
            if self.rng.random() < REPEATED_LATER and id_of(each) not in self.once
        ]

    def order(self, shop: str, *, placed_at: datetime | None = None) -> CaseOrder:
        """Place an order of a shop."""
        order = CaseOrder(self, shop, f"{MARK}{self.name}.{self.next_number()}")
        self.orders.append(order)
        order.place(placed_at)
        same = [each for each in self.orders if each.shop == shop]
        for each in same:
            keys = (each.key, str(each.shipment.order))
            for other in same:
                self.answer.named_in.setdefault(other.number, set()).update(keys)
        return order

    def number(self) -> str:
        """A tracking number that no other case has."""
        return f"CX{self.name.upper()}N{self.next_number():02}"

    def words(self, *orders: CaseOrder) -> str:
        """Words that scans of a parcel say, which only shops of these orders may see."""
        text = f"{MARK}{self.name}.w{self.next_number()}"
        self.answer.named_in[text] = {str(order.shipment.order) for order in orders}
        return text

    def scan(self, number: str, name: str, minutes: float, words: str) -> ScanAnswer:
        """Report a scan, in a message of its own."""
        at = self.at(minutes)
        scan = {
            "scan_id": f"{number}-{self.next_number()}",
            "event_name": name,
            "occurred_at": at.isoformat(),
            "text": f"{words} text",
            "reason": words,
            "location": {"city": f"{words} city"},
            "pickup": {"name": f"{words} pickup"},
            "proof": {"signed_by": f"{words} proof"},
        }
        self.report(number, scan)
        return ScanAnswer(plain_number(number), name, at, words)

    def report(self, number: str, scan: dict[str, Any]) -> str:
        """Report a scan of any content; returns the id of the message."""
        id_ = f"{self.name}/{self.next_number()}"
        self._loose.append(tracking(CARRIER, self.spelled(number), [scan], self.now, id_=id_))
        return id_

    def refuse(self, topic: str, id_: str, reason: str) -> None:
        """Expect that a message is refused."""
        self.answer.refused[topic, f"{id_}#0"] = reason

    def spelled(self, number: str) -> str:
        """A number as some system writes it: the same letters and digits."""
        return self.rng.choice((number, number.lower(), f"{number[:4]} {number[4:]}"))

    def next_number(self) -> int:
        """Counts what the case has."""
        self._count += 1
        return self._count


@dataclass(slots=True)
class CaseOrder:
    """An order of a case, with its first shipment; others are added by `add_shipment`."""

    case: Case
    shop: str
    number: str
    shipments: list[ShipmentAnswer] = field(init=False)
    _sent: list[ScriptMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shipments = []
        self.add_shipment()

    @property
    def key(self) -> str:
        """The order's name in messages."""
        return f"{self.shop}/{self.number}"

    @property
    def shipment(self) -> ShipmentAnswer:
        """The answer of the first shipment."""
        return self.shipments[0]

    def add_shipment(self) -> ShipmentAnswer:
        """One more shipment of the order."""
        added = ShipmentAnswer(self.shop, self.number, len(self.shipments) + 1)
        self.shipments.append(added)
        self.case.answer.shipments.append(added)
        return added

    def take_stage(self) -> list[ScriptMessage]:
        """The commands of the stage that ends."""
        sent, self._sent = self._sent, []
        return sent

    # What the shop sends.

    def send(self, type_: str, body: dict[str, Any]) -> str:
        """Send a command; returns its id."""
        id_ = f"{self.key}#{self.case.next_number()}"
        named = body if type_ in NAMED_INSIDE else {"id": self.number, **body}
        self._sent.append(command(self.key, type_, named, self.case.now, id_=id_))
        return id_

    def place(self, placed_at: datetime | None) -> None:
        """Place the order."""
        order: dict[str, Any] = {
            "order_number": self.number,
            "products": [{"sku": "TEAPOT", "quantity": 4, "price": "34.50"}],
            "address": {"zip_code": "10115", "country_code": "DE"},
        }
        if placed_at is not None:
            order["order_placed_at"] = placed_at.isoformat()
        self.send("order.place", {"order": order})

    def upsert(self, number: str, *, at: str | None = None, **members: Any) -> str:
        """Send a tracking; `at` is the age of the command. Returns the command's id."""
        known = {name: value for name, value in members.items() if value is not None}
        body: dict[str, Any] = {"trackings": [{"tracking_number": number, **known}]}
        return self.send("order.upsert", body | ({"updated_at": at} if at else {}))

    def attach(
        self, number: str, shipment: ShipmentAnswer | None = None, **members: Any
    ) -> ShipmentAnswer:
        """Attach a number to the first shipment, or to the one that is next."""
        carrier = self.case.rng.choice((CARRIER, None))
        self.upsert(self.case.spelled(number), carrier_reference=carrier, **members)
        answer = shipment or self.shipment
        answer.take(plain_number(number))
        return answer

    def attach_joined(self, *numbers: str) -> None:
        """Attach several numbers that stand in one field."""
        self.upsert(", ".join(numbers))
        for place, number in enumerate(numbers):
            answer = self.shipments[place] if place < len(self.shipments) else self.add_shipment()
            answer.take(plain_number(number))

    def sync(self, number: str) -> None:
        """Send a tracking that the order has once more, as a new command: no difference."""
        self.upsert(self.case.spelled(number))

    def void(self, **members: Any) -> None:
        """Take the number off the first shipment."""
        self.send("shipment.void", members)
        self.shipment.lose("void")

    def replace(self, number: str, external: str) -> None:
        """Give the first shipment another number, under its `external_shipment_id`."""
        spelled = self.case.spelled(number)
        tracking: dict[str, Any] = {"tracking_number": spelled, "external_shipment_id": external}
        upsert: dict[str, Any] = {"trackings": [tracking]}
        bodies = [upsert, {"items": [{"id": self.number, **upsert}]}, tracking]
        place = self.case.rng.randrange(len(bodies))
        self.send(REPLACED_BY[place], bodies[place])
        self.shipment.lose("replace")
        self.shipment.take(plain_number(number))

    # What must come of it.

    def sees(
        self, *scans: ScanAnswer, shipment: ShipmentAnswer | None = None, **changes: Any
    ) -> None:
        """Expect an event of each scan. `changes` are members of the answer, such as `is_shown`."""
        (shipment or self.shipment).see(replace(scan, **changes) for scan in scans)

    def sees_again(self, number: str) -> None:
        """Expect a further event of each scan of a number that was attached again."""
        self.shipment.see(
            replace(scan, least=scan.least + 1, most=scan.most + 1)
            for scan in list(self.shipment.scans.values())
            if scan.number == plain_number(number)
        )

    def hears(self, *scans: ScanAnswer, shipment: ShipmentAnswer | None = None) -> None:
        """Expect that the customer is notified of each scan, once."""
        answer = shipment or self.shipment
        answer.notified |= {(scan.number, GROUPS[scan.name]) for scan in scans}


def may_see(orders: Iterable[CaseOrder], scan: ScanAnswer, *, is_shown: bool | None) -> None:
    """Take an event of a scan for right where it races with what decides whose it is."""
    for order in orders:
        order.sees(scan, least=0, is_shown=is_shown)


def id_of(message: ScriptMessage) -> str:
    """The CloudEvents id of a message."""
    return dict(message.headers)["ce_id"].decode()
