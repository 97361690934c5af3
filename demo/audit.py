"""The auditor from outside: it reads the topics back and counts what was lost, doubled, reordered.

It knows no service, no table and no counter, only the public contract.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from demo.facts import Fact, fact_of, facts_in, plain_number
from demo.journal import Entry, read_all
from demo.seen import ParcelKey, Seen, numbers_on_orders, see_parcels
from schemas.topics import (
    CARRIER_TRACKING,
    CATALOGUE,
    CLAIMS_COMMANDS,
    CLAIMS_EVENTS,
    CLAIMS_OUTCOMES,
    EVENT_TOPICS,
    ORDERS_COMMANDS,
    ORDERS_EVENTS,
    ORDERS_OUTCOMES,
    SHIPMENTS_EVENTS,
)

VERSIONED = (ORDERS_EVENTS, SHIPMENTS_EVENTS)
PROBLEMS_SHOWN = 20

Journal = Mapping[str, Sequence[Entry]]
Place = tuple[str, int, int, int]


@dataclass(slots=True)
class Audit:
    """What was found. `repeats` are the same record again under the same id, which is allowed."""

    commands: int = 0
    scans: int = 0
    order_events: int = 0
    shipment_events: int = 0
    claims: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    repeats: int = 0
    problems: list[str] = field(default_factory=list)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Final state by `shop/number`: the order in the context of its latest event."""
    shipments: dict[ParcelKey, dict[str, Any]] = field(default_factory=dict)
    """Final state of each parcel with a number."""
    parcels: dict[ParcelKey, Seen] = field(default_factory=dict)
    """What events said of each number of each order."""
    released: Counter[str] = field(default_factory=Counter)
    """How many numbers were taken off orders, by `released_by`."""
    claim_states: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How often each item was refused: topic, `ce_id#index`, reason."""

    def shipment(self, number: str) -> dict[str, Any]:
        """The final state of the one parcel with a tracking number.

        Raises:
            KeyError: no parcel has it, or several have.
        """
        having = [state for key, state in self.shipments.items() if key[1] == number]
        if len(having) != 1:
            raise KeyError(f"{len(having)} parcels have the number {number}")
        return having[0]

    @property
    def is_clean(self) -> bool:
        """Nothing lost, doubled or reordered."""
        return not (self.lost or self.duplicated or self.reordered)

    def lose(self, text: str) -> None:
        """Count something that should be there and is not."""
        self.lost += 1
        self.problems.append(f"lost: {text}")

    def double(self, text: str) -> None:
        """Count one fact that stands there as two."""
        self.duplicated += 1
        self.problems.append(f"duplicated: {text}")

    def reorder(self, text: str) -> None:
        """Count an event that came after a later one."""
        self.reordered += 1
        self.problems.append(f"reordered: {text}")

    def summary(self) -> str:
        """The counts and the first problems, for a person."""
        head = f"lost={self.lost} duplicated={self.duplicated} reordered={self.reordered}"
        return "\n".join([head, *self.problems[:PROBLEMS_SHOWN]])


async def audit(options: Mapping[str, Any], prefix: str) -> Audit:
    """Read all topics of an installation and judge them."""
    return judge(await read_journal(options, prefix))


async def read_journal(options: Mapping[str, Any], prefix: str) -> Journal:
    """All records of an installation's topics, by topic."""
    return await read_all(options, prefix, [topic.name for topic in CATALOGUE])


def judge(journal: Journal) -> Audit:
    """Judge what was read."""
    found = Audit()
    refused = _check_answers(journal, found)
    for topic in EVENT_TOPICS:
        _check_events(topic, journal[topic], found)
    _check_versions(journal, found)
    _final_states(journal, found)
    names = {order["uuid"]: name for name, order in found.orders.items()}
    found.parcels, found.released = see_parcels(journal[SHIPMENTS_EVENTS], names)
    _check_scans(journal, refused, found)
    _check_claims(journal, refused, found)
    return found


# Commands and their answers.


def _check_answers(journal: Journal, found: Audit) -> dict[Place, str]:
    outcomes = _by_place(journal[ORDERS_OUTCOMES], "outcome", found)
    refused: dict[Place, str] = {}
    for topic, entries in journal.items():
        if topic.endswith(".rejected"):
            refused |= _by_place(entries, "reason", found)
            _count_refusals(entries, found)
    for entry in journal[ORDERS_COMMANDS]:
        for index in range(items_in(entry)):
            found.commands += 1
            place = (entry.topic, entry.partition, entry.offset, index)
            if place not in outcomes:
                found.lose(f"{entry.id} item {index} at {place} has no outcome")
            elif (outcomes[place] == "rejected") is not (place in refused):
                found.lose(f"{entry.id} item {index}: outcome and orders.rejected disagree")
    return refused


def items_in(entry: Entry) -> int:
    """How many items a command message holds, by the contract: a bulk command several."""
    if entry.headers.get("ce_type") != "orders.fulfill_bulk":
        return 1
    try:
        items = entry.body["items"]
    except (ValueError, KeyError, TypeError):
        return 1
    return len(items) if isinstance(items, list) and 1 <= len(items) <= 1000 else 1


def _by_place(entries: Iterable[Entry], member: str, found: Audit) -> dict[Place, str]:
    """The outcome of each item; two different outcomes, or one under two ids, are doubled."""
    answers: dict[Place, tuple[str, str]] = {}
    for entry in entries:
        body = entry.body
        place = (body["topic"], body["partition"], body["offset"], body["index"])
        answer = (body[member], entry.id)
        first = answers.setdefault(place, answer)
        if first != answer:
            found.double(f"item {place} was answered {first} and {answer}")
    return {place: answer for place, (answer, _) in answers.items()}


def _count_refusals(entries: Iterable[Entry], found: Audit) -> None:
    for body in {entry.id: entry.body for entry in entries}.values():
        label = f"{body.get('ce_id') or ''}#{body['index']}"
        found.refusals[(body["topic"], label, body["reason"])] += 1


# Events.


def _check_events(topic: str, entries: Sequence[Entry], found: Audit) -> None:
    """Each order's events: in order by first occurrence, without gaps, each fact once."""
    seen: dict[str, tuple[str, int]] = {}
    last: dict[str, int] = defaultdict(int)
    facts: dict[object, str] = {}
    partitions: dict[str, int] = {}
    for entry in sorted(entries, key=lambda each: (each.partition, each.offset)):
        order, sequence = entry.key, int(entry.headers["ce_sequence"])
        if entry.id in seen:
            found.repeats += 1
            if seen[entry.id] != (order, sequence):
                found.double(f"{topic}: id {entry.id} names two events")
            continue
        seen[entry.id] = (order, sequence)
        if sequence <= last[order]:
            found.reorder(f"{topic}: order {order} has {sequence} after {last[order]}")
        elif sequence > last[order] + 1:
            found.lose(f"{topic}: order {order} jumps from {last[order]} to {sequence}")
        last[order] = max(last[order], sequence)
        if partitions.setdefault(order, entry.partition) != entry.partition:
            found.reorder(f"{topic}: order {order} lies on two partitions")
        _check_fact(topic, entry, facts, found)
    _count_events(topic, len(seen), found)


def _check_fact(topic: str, entry: Entry, facts: dict[object, str], found: Audit) -> None:
    fact = fact_of(entry)
    if facts.setdefault(fact, entry.id) != entry.id:
        found.double(f"{topic}: {fact} stands there as {facts[fact]} and as {entry.id}")


def _count_events(topic: str, count: int, found: Audit) -> None:
    if topic == ORDERS_EVENTS:
        found.order_events = count
    elif topic == SHIPMENTS_EVENTS:
        found.shipment_events = count


def _check_versions(journal: Journal, found: Audit) -> None:
    """`order_version` counts an order's events over both topics, one step each."""
    versions: dict[str, dict[int, str]] = defaultdict(dict)
    for topic in VERSIONED:
        for entry in journal[topic]:
            version = int(entry.headers["ce_orderversion"])
            if versions[entry.key].setdefault(version, entry.id) != entry.id:
                found.double(f"order {entry.key} has two events of version {version}")
    for order, known in versions.items():
        missing = set(range(1, max(known) + 1)) - set(known)
        if missing:
            found.lose(f"order {order} has no event of version {sorted(missing)}")


def _check_scans(journal: Journal, refused: Mapping[Place, str], found: Audit) -> None:
    """Every scan of a number that is on an order in the end must have its event.

    Which of several orders must have it depends on their windows: the right answer says it.
    """
    owned = numbers_on_orders(journal[SHIPMENTS_EVENTS])
    published: set[Fact] = {
        (number, *scan) for (_, number), seen in found.parcels.items() for scan in seen.scans
    }
    reported = {
        fact
        for entry in journal[CARRIER_TRACKING]
        if (entry.topic, entry.partition, entry.offset, 0) not in refused
        for fact in facts_in(entry.value)
    }
    found.scans = len(reported)
    for number, name, at in sorted(reported - published):
        if number in owned:
            found.lose(f"scan {name} of {number} at {at.isoformat()} has no event")


def _check_claims(journal: Journal, refused: Mapping[Place, str], found: Audit) -> None:
    """Every claim command must have an outcome: with an event if applied, or else a refusal."""
    outcomes = _by_place(journal[CLAIMS_OUTCOMES], "outcome", found)
    changed = {entry.headers.get("ce_causationid") for entry in journal[CLAIMS_EVENTS]}
    for entry in journal[CLAIMS_COMMANDS]:
        place = (entry.topic, entry.partition, entry.offset, 0)
        outcome = outcomes.get(place)
        if outcome is None:
            found.lose(f"claim command {entry.id} has no outcome")
        elif outcome == "applied" and entry.id not in changed:
            found.lose(f"claim command {entry.id} is applied and has no event")
        elif (outcome == "rejected") is not (place in refused):
            found.lose(f"claim command {entry.id}: outcome and claims.rejected disagree")


# Final states.


def _final_states(journal: Journal, found: Audit) -> None:
    latest: dict[str, tuple[int, dict[str, Any]]] = {}
    for topic in VERSIONED:
        for entry in journal[topic]:
            version = int(entry.headers["ce_orderversion"])
            if version > latest.get(entry.key, (0, {}))[0]:
                latest[entry.key] = (version, entry.body["context"])
    for _, context in latest.values():
        order = context["order"]
        name = f"{order['shop_slug']}/{order['order_number']}"
        found.orders[name] = order
        for shipment in context["shipments"]:
            if shipment.get("tracking_number"):
                found.shipments[name, plain_number(shipment["tracking_number"])] = shipment
    _final_claims(journal[CLAIMS_EVENTS], found)


def _final_claims(entries: Sequence[Entry], found: Audit) -> None:
    latest: dict[str, int] = {}
    for entry in entries:
        data, sequence = entry.body["event_data"], int(entry.headers["ce_sequence"])
        if sequence > latest.get(data["claim_id"], 0):
            latest[data["claim_id"]] = sequence
            found.claim_states[data["claim_id"]] = {**data, "order_id": entry.key}
    found.claims = len(found.claim_states)
