"""Any sequence of claim commands with any repeats anywhere equals the sequence without the repeats.

Messages go through the service's own decoder, unit of work and encoder, in batches of any size.
Postgres is a table in memory. At some moment the tables are rebuilt, or the database is lost with
its positions: then claims come from a snapshot, and what was applied from what was published.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.claims.domain.claim import APPLIED_MAX, Claim
from services.claims.domain.decision import OrderClaims, Outcome
from services.claims.domain.ids import claim_id, order_id
from services.claims.intake import Task
from services.claims.loading import Loaded, to_recall
from services.claims.messages.decode import read_command, read_order
from services.claims.messages.order_document import decode_order
from services.claims.operations.recall import applied_items
from services.claims.outcomes import decided_records
from services.claims.unit_of_work import UnitOfWork
from services.runtime.batch.batch import Batch
from services.runtime.messages.records import Coordinates, Original, item_id
from services.runtime.outbox.outbox import Outgoing
from services.runtime.parking.gate import ParkingGate

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SHOP, NUMBERS = "demo-shop", ("1", "2")
EVENT_BYTES = 1_000_000


def _snapshot(number: str, claims: Sequence[dict[str, Any]] = ()) -> Original:
    """A snapshot event of an order with two delivered parcels."""
    order = order_id(SHOP, number)
    shipment = {"phase": "delivered", "delivered_at": "2026-03-04T09:00:00Z", "draft": False}
    body = {
        "source": "orders",
        "ref": "orders/snapshot",
        "event_name": "ORDER_SNAPSHOT",
        "triggered_at": "2026-03-04T10:00:00Z",
        "shop_slug": SHOP,
        "event_id": order,
        "order_id": order,
        "sequence": 1,
        "order_version": 1,
        "event_data": {},
        "context": {
            "order": {
                "uuid": order,
                "shop_slug": SHOP,
                "order_number": number,
                "status": "fulfilled",
                "expected_number_of_shipments": 2,
                "products": [{"sku": "MUG", "title": "Mug", "quantity": 3}],
                "trackings": [],
            },
            "customer": {},
            "shipments": [
                shipment
                | {
                    "shipment_id": claim_id(order, f"parcel {ordinal}"),
                    "ordinal": ordinal,
                    "tracking_number": f"N{number}-{ordinal}",
                    "products": [{"sku": "MUG", "title": "Mug", "quantity": ordinal}],
                }
                for ordinal in (1, 2)
            ],
            "claims": list(claims),
        },
        "context_truncated": False,
    }
    headers = (("ce_type", b"order.snapshot"), ("ce_id", order.encode()))
    at = Coordinates("orders.events", 0, 1)
    return Original(at, order.encode(), headers, json.dumps(body).encode(), NOW)


DOCUMENTS = {
    order_id(SHOP, number): received.document
    for number in NUMBERS
    if (received := read_order(_snapshot(number)))
}


@dataclass
class Shelf:
    """What the tables of claims would hold, and what was published."""

    claims: dict[str, dict[str, Claim]] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    older: set[tuple[str, int]] = field(default_factory=set)
    waiting: dict[str, Task] = field(default_factory=dict)
    is_rebuilt: bool = False
    published: list[Outgoing] = field(default_factory=list)
    ends: dict[str, set[str]] = field(default_factory=dict)
    """The outcomes of each item."""

    def apply(self, records: Iterable[Original]) -> None:
        """Decide the commands as one batch, and keep what it changes."""
        loaded = Loaded([_task(record) for record in records], {})
        loaded.gate = ParkingGate(Batch((), NOW))
        for task in self.waiting.values():
            loaded.waiting_for_claims.setdefault(task.waits_for or "", []).append(task)
        loaded.owners = {id_: order for order, held in self.claims.items() for id_ in held}
        loaded.documents = dict(DOCUMENTS)
        self._read_states(loaded)
        unit = UnitOfWork(NOW, DAY, loaded)
        unit.run()
        self._keep(unit)

    def _read_states(self, loaded: Loaded) -> None:
        loaded.is_rebuilt = self.is_rebuilt
        for id_, document in DOCUMENTS.items():
            loaded.states[id_] = OrderClaims(
                order=decode_order(document, id_, SHOP, 1),
                claims=self.claims.get(id_, {}),
                sequence=self.sequences.get(id_, 0),
            )
        found = to_recall(loaded) & self.older
        for id_ in DOCUMENTS:
            older = frozenset(digest for order, digest in found if order == id_)
            loaded.states[id_] = replace(loaded.states[id_], older=older)

    def _keep(self, unit: UnitOfWork) -> None:
        self.sequences |= unit.sequences
        for claim in unit.claims.values():
            self.older |= {(claim.order_id, digest) for digest in claim.older_applied}
            stored = replace(claim, applied=claim.newest_applied)
            self.claims.setdefault(claim.order_id, {})[claim.claim_id] = stored
        for each in unit.decided:
            if each.task.waits_for and each.task.waits_for != each.decision.waits_for:
                self.waiting.pop(each.task.command.item_id, None)
        unit.conclude(self._save_waiting(unit))
        for each in unit.decided:
            ends = self.ends.setdefault(each.task.command.item_id, set())
            ends.add(each.decision.outcome)
        self.published += decided_records(unit, EVENT_BYTES)

    def _save_waiting(self, unit: UnitOfWork) -> list[str]:
        stored = []
        for each in unit.new_waits():
            id_ = each.task.command.item_id
            if id_ not in self.waiting:
                task, key = each.task, each.decision.waits_for
                expires = NOW + DAY
                self.waiting[id_] = Task(
                    task.original, task.envelope, task.command, key, expires, task.warnings
                )
                stored.append(id_)
        return stored

    def rebuild(self) -> None:
        """Empty the tables as `orderflow rebuild` does, and read a snapshot of each order."""
        held = [claim for claims in self.claims.values() for claim in claims.values()]
        self.older |= {(claim.order_id, digest) for claim in held for digest in claim.applied}
        self._fill()

    def lose(self) -> None:
        """Lose the database, and rebuild it from what was published."""
        self.older, self.waiting = set(), {}
        self._fill()

    def _fill(self) -> None:
        self.is_rebuilt = True
        self.claims, self.sequences = {}, {}
        for record in self.published:
            self.older.update(applied_items(record.topic, record.key, record.value))
        for number in NUMBERS:
            received = read_order(_snapshot(number, self._last_events(order_id(SHOP, number))))
            assert received is not None
            for each in received.claims:
                order = each.claim.order_id
                self.claims.setdefault(order, {})[each.claim.claim_id] = each.claim
                self.sequences[order] = max(each.sequence, self.sequences.get(order, 0))

    def _last_events(self, order: str) -> list[dict[str, Any]]:
        newest = {e["event_data"]["claim_id"]: e for e in self.events if e["order_id"] == order}
        return [
            {"claim_id": id_, "sequence": event["sequence"], "event_data": event["event_data"]}
            for id_, event in newest.items()
        ]

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events, oldest first."""
        topic = "claims.events"
        return [json.loads(each.value) for each in self.published if each.topic == topic]

    @property
    def facts(self) -> list[dict[str, Any]]:
        """All events by order, without what they name as applied."""
        found = self.events
        for event in found:
            del event["event_data"]["applied_commands"]
        return sorted(found, key=lambda event: (event["order_id"], event["sequence"]))

    @property
    def state(self) -> dict[str, dict[str, Claim]]:
        """The claims, without what they remember."""
        return {
            order: {id_: replace(claim, applied=()) for id_, claim in claims.items()}
            for order, claims in self.claims.items()
        }


def _task(record: Original) -> Task:
    received = read_command(record)
    return Task(record, received.envelope, received.command, warnings=received.warnings)


# ---------------------------------------------------------------------------------------- messages
OPENINGS = range(4)
statuses = st.sampled_from(["pending", "accepted", "rejected", "closed", None])
texts = st.sampled_from(["broken", "late", "blue"])


def _opened(name: int) -> str:
    """The claim that opening `name` opens."""
    return claim_id(order_id(SHOP, NUMBERS[name % 2]), _item(f"open-{name}"))


def _item(ce_id: str) -> str:
    return _task(_record(1, ce_id, "claim.open", _opening(0, "damage", 1, 1))).command.item_id


def _opening(name: int, reason: str, parcel: int, quantity: int) -> dict[str, object]:
    number = NUMBERS[name % 2]
    body: dict[str, object] = {"id": number, "reason": reason}
    body["tracking_number"] = f"N{number}-{parcel}"
    return body | {"selected_items": [{"sku": "MUG", "quantity": quantity}]}


def _record(
    offset: int, ce_id: str | None, type_: str, body: dict[str, object], source: str | None = "/s"
) -> Original:
    named = {"ce_type": type_, "ce_id": ce_id, "ce_source": source}
    return Original(
        Coordinates("claims.commands", 0, offset),
        b"key",
        tuple((name, value.encode()) for name, value in named.items() if value is not None),
        json.dumps({"shop_slug": SHOP} | body).encode(),
        NOW,
    )


@dataclass(frozen=True)
class Sent:
    """A command as it is sent, any number of times; one without an id is another each time."""

    type: str
    body: dict[str, object]
    ce_id: str | None
    source: str | None = "/s"

    def at(self, offset: int) -> Original:
        return _record(offset, self.ce_id, self.type, self.body, self.source)


@st.composite
def _changes(draw: st.DrawFn, ce_id: str) -> Sent:
    body: dict[str, object] = {"claim_id": _opened(draw(st.sampled_from(OPENINGS)))}
    named = (draw(st.sampled_from([ce_id, ce_id, None])), draw(st.sampled_from(["/s", None])))
    if draw(st.integers(0, 4)) == 0:
        return Sent("claim.withdraw", body | {"reason": "found"}, *named)
    status, text = draw(statuses), draw(texts)
    body |= {"status": status, "reason_for_change": text} if status else {}
    return Sent("claim.update", body | {"description": text}, *named)


def _burst(at: int, claim: int, texts_in_it: int) -> list[Sent]:
    """More updates of one claim than are stored with it; with one text most change nothing."""
    bodies = [
        {"claim_id": _opened(claim), "description": f"{n % texts_in_it}"}
        for n in range(APPLIED_MAX + 2)
    ]
    return [Sent("claim.update", body, f"b-{at}-{n}") for n, body in enumerate(bodies)]


@st.composite
def _steps(draw: st.DrawFn) -> list[list[Sent]]:
    reasons = st.sampled_from(["damage", "partial_damage", "investigation"])
    sizes = st.integers(1, 2)
    steps = [
        [Sent("claim.open", _opening(n, draw(reasons), draw(sizes), draw(sizes)), f"open-{n}")]
        for n in OPENINGS
    ]
    count = draw(st.integers(0, 6))
    steps += [[draw(_changes(f"change-{at}"))] for at in range(count)]
    steps = draw(st.permutations(steps))
    for at in range(draw(st.sampled_from([1, 1, 2, 0]))):
        place = draw(st.integers(len(steps) // 2, len(steps)))
        many = draw(st.sampled_from([1, 2, APPLIED_MAX]))
        steps.insert(place, _burst(at, draw(st.sampled_from(OPENINGS)), many))
    return steps


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[Original], list[int], int]:
    """Records with repeats, the sizes of their batches, and before which one all is lost."""
    sent: list[Sent] = []
    turns: list[Sent] = []
    for step in draw(_steps()):
        sent += step
        turns += step
        turns += draw(st.lists(st.sampled_from(sent), max_size=3))
    records = [each.at(offset) for offset, each in enumerate(turns, start=1)]
    sizes = draw(st.lists(st.integers(1, 90), min_size=1, max_size=6))
    return records, sizes, draw(st.integers(len(records) // 2, len(records)))


@given(_histories(), st.sampled_from(["lose", "lose", "rebuild", "nothing"]))
@settings(max_examples=80)
def test_sequence_with_repeats_equals_the_sequence_without_them(
    history: tuple[list[Original], list[int], int], accident: str
) -> None:
    records, sizes, middle = history
    with_repeats, without = Shelf(), Shelf()
    _play(with_repeats, records[:middle], sizes)
    _play_without_repeats(without, records[:middle])
    again: list[Original] = []
    if accident == "rebuild":
        with_repeats.rebuild()
    if accident == "lose":
        # The positions are lost too: all commands are read again. What was refused may be applied
        # now, and is left out.
        ends = with_repeats.ends
        again = [each for each in records[:middle] if Outcome.REJECTED not in ends[_id(each)]]
        with_repeats.lose()
    _play(with_repeats, [*again, *records[middle:]], sizes)
    _play_without_repeats(without, [*again, *records[middle:]])

    assert with_repeats.state == without.state
    assert with_repeats.facts == without.facts
    ids = [event["event_id"] for event in with_repeats.events]
    assert len(set(ids)) == len(ids)


def _play(shelf: Shelf, records: Sequence[Original], sizes: Sequence[int]) -> None:
    rest, turns = list(records), itertools.cycle(sizes)
    while rest:
        size = next(turns)
        shelf.apply(rest[:size])
        rest = rest[size:]


def _play_without_repeats(shelf: Shelf, records: Sequence[Original]) -> None:
    """One by one, but what was applied or waits; what was refused is decided again."""
    for record in records:
        id_ = _id(record)
        is_known = {Outcome.APPLIED, Outcome.NO_CHANGE} & shelf.ends.get(id_, set())
        if not is_known and id_ not in shelf.waiting:
            shelf.apply([record])


def _id(record: Original) -> str:
    return item_id(record, read_command(record).envelope, 0)
