"""Everything read from the topics so far; each record is read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.checker.findings import DUPLICATED, GAP, REORDERED, Findings
from chaos.checker.shipment_events import ShipmentEvents
from demo.audit import items_in
from demo.facts import Fact, fact_of, facts_in, plain_number
from demo.journal import Entry
from schemas.topics import (
    CARRIER_TRACKING,
    CLAIMS_COMMANDS,
    CLAIMS_EVENTS,
    CLAIMS_OUTCOMES,
    DELIVERIES_COMMANDS,
    DELIVERIES_OUTCOMES,
    EVENT_TOPICS,
    ORDERS_COMMANDS,
    ORDERS_EVENTS,
    ORDERS_OUTCOMES,
    ORDERS_STATE,
    SHIPMENTS_EVENTS,
)

COMMANDS = (ORDERS_COMMANDS, CLAIMS_COMMANDS, DELIVERIES_COMMANDS)
OUTCOMES = (ORDERS_OUTCOMES, CLAIMS_OUTCOMES, DELIVERIES_OUTCOMES)
INCOMING = (*COMMANDS, CARRIER_TRACKING)

Place = tuple[str, int, int, int]
"""Topic, partition, offset, index: one item of one message."""


@dataclass(slots=True)
class OrderRecord:
    """The events of one order, by topic and in total."""

    last: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Highest sequence by topic."""
    versions: dict[int, str] = field(default_factory=dict)
    """Event ids by `order_version`."""
    last_version: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    partitions: dict[str, int] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    """Of the event with the highest version."""
    cities: dict[int, str | None] = field(default_factory=dict)
    """By version: where the order went."""

    @property
    def version(self) -> int:
        """The highest of any event."""
        return max(self.versions, default=0)

    @property
    def key(self) -> str:
        """`shop/number`, once an event of the order has it."""
        order = self.context.get("order") or {}
        return f"{order.get('shop_slug')}/{order.get('order_number')}"


@dataclass(slots=True)
class Ledger:
    """The topics as seen from outside."""

    findings: Findings
    orders: dict[str, OrderRecord] = field(default_factory=lambda: defaultdict(OrderRecord))
    names: dict[Place, tuple[str, str]] = field(default_factory=dict)
    """Source and id of the command items that came in; repeats of an item have the same."""
    came: dict[tuple[str, int, int], str] = field(default_factory=dict)
    """The id of each record that came in."""
    items: dict[Place, str] = field(default_factory=dict)
    """Items of commands without an outcome so far, and their ids."""
    outcomes: dict[Place, tuple[str, str]] = field(default_factory=dict)
    reasons: dict[Place, str | None] = field(default_factory=dict)
    """Of the outcomes."""
    ends: dict[str, set[tuple[str, str | None]]] = field(default_factory=lambda: defaultdict(set))
    """Outcome and reason of each command and its repeats, by the command's id."""
    refused: dict[Place, tuple[str, str]] = field(default_factory=dict)
    refusals: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Reasons by topic and `id#index`."""
    scans: dict[Fact, Place] = field(default_factory=dict)
    """Scans without an event so far, and the first message that holds them."""
    shipments: ShipmentEvents = field(default_factory=ShipmentEvents)
    owned: set[str] = field(default_factory=set)
    """Numbers that are or were on an order."""
    states: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The newest state of each order on `orders.state`; empty where a null value says erased."""
    claims: dict[str, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    """Last sequence and state of each claim."""
    causes: dict[str, str] = field(default_factory=dict)
    """The claim that a command opened or changed, by the command's id."""
    touched: set[str] = field(default_factory=set)
    """Orders with records since this was last cleared."""
    incoming: int = 0
    records: int = 0
    _seen: dict[tuple[str, str], tuple[object, ...]] = field(default_factory=dict)
    _facts: dict[object, str] = field(default_factory=dict)

    def take(self, entry: Entry) -> None:
        """Take in one record."""
        self.records += 1
        if entry.topic in INCOMING:
            self._take_incoming(entry)
            return
        self.shipments.search(entry)
        if entry.topic == ORDERS_STATE:
            self._take_state(entry)
            return
        if entry.topic in OUTCOMES:
            self._take_outcome(entry)
        elif entry.topic.endswith(".rejected"):
            self._take_answer(entry, self.refused, "reason")
            self._take_refusal(entry)
        elif entry.topic in EVENT_TOPICS:
            self._take_event(entry)

    def _take_state(self, entry: Entry) -> None:
        """Keep the newest state, as readers do; a null value is for good."""
        self.touched.add(entry.key)
        known = self.states.get(entry.key)
        if not entry.value:
            self.states[entry.key] = {}
        elif known is None or (known and known["order_version"] <= entry.body["order_version"]):
            self.states[entry.key] = entry.body

    # What came in.

    def _take_incoming(self, entry: Entry) -> None:
        self.incoming += 1
        at = (entry.topic, entry.partition, entry.offset)
        self.came[at] = entry.id
        if entry.topic in COMMANDS:
            for index in range(items_in(entry)):
                place = (*at, index)
                self.names[place] = (entry.headers.get("ce_source", ""), entry.id)
                if place not in self.outcomes:
                    self.items[place] = entry.id
        else:
            for fact in facts_in(entry.value):
                if fact not in self.shipments.scans:
                    self.scans.setdefault(fact, (*at, 0))

    # What was answered.

    def _take_outcome(self, entry: Entry) -> None:
        place = self._take_answer(entry, self.outcomes, "outcome")
        body = entry.body
        self.reasons[place] = body.get("reason")
        self.ends[body.get("command_id", "")].add((body["outcome"], body.get("reason")))
        self.items.pop(place, None)

    def _take_answer(
        self, entry: Entry, answers: dict[Place, tuple[str, str]], member: str
    ) -> Place:
        body = entry.body
        place = (body["topic"], body["partition"], body["offset"], body["index"])
        answer = (body[member], entry.id)
        if place not in answers:
            answers[place] = answer
        elif answers[place] == answer:
            self.findings.repeat(f"{entry.topic}: {entry.id}")
        else:
            text = f"was answered {answers[place]} and {answer} on {entry.topic}"
            self.findings.add(DUPLICATED, place, text)
        return place

    def _take_refusal(self, entry: Entry) -> None:
        body = entry.body
        label = f"{body.get('ce_id') or ''}#{body['index']}"
        self.refusals[(body["topic"], label)].add(body["reason"])

    # What happened.

    def _take_event(self, entry: Entry) -> None:
        topic, order = entry.topic, entry.key
        sequence = int(entry.headers["ce_sequence"])
        version = int(entry.headers["ce_orderversion"])
        identity = (order, sequence, version)
        known = self._seen.setdefault((topic, entry.id), identity)
        record = self.orders[order]
        if known is not identity:
            self.findings.repeat(f"{topic}: order {order} sequence {sequence} id {entry.id}")
            if known != identity:
                self.findings.add(DUPLICATED, order, f"{topic}: id {entry.id} names two events")
            return
        self.touched.add(order)
        self._check_order(entry, record, sequence, version)
        self._check_fact(entry)
        self._remember(entry, record, version)

    def _check_order(self, entry: Entry, record: OrderRecord, sequence: int, version: int) -> None:
        """On its topic an order's events count up by one, on one partition."""
        topic, order, last = entry.topic, entry.key, record.last[entry.topic]
        at = f"{topic}[{entry.partition}]@{entry.offset}"
        if sequence <= last:
            self.findings.add(REORDERED, order, f"{at} has sequence {sequence} after {last}")
        elif sequence > last + 1:
            self.findings.add(GAP, order, f"{at} jumps from sequence {last} to {sequence}")
        record.last[topic] = max(last, sequence)
        if record.partitions.setdefault(topic, entry.partition) != entry.partition:
            self.findings.add(REORDERED, order, f"{topic}: lies on two partitions")
        if topic == CLAIMS_EVENTS:  # Their version is the order's as claims knew it: no counter.
            return
        if version <= record.last_version[topic] and sequence > last:
            before = record.last_version[topic]
            self.findings.add(REORDERED, order, f"{at} has version {version} after {before}")
        record.last_version[topic] = max(version, record.last_version[topic])
        if record.versions.setdefault(version, entry.id) != entry.id:
            self.findings.add(DUPLICATED, order, f"two events of version {version}")

    def _check_fact(self, entry: Entry) -> None:
        fact = fact_of(entry)
        if entry.topic == SHIPMENTS_EVENTS:
            fact = fact, self.shipments.generation(entry, entry.body["event_data"])
        known = self._facts.setdefault(fact, entry.id)
        if known != entry.id:
            text = f"{entry.topic}: {fact} stands there as {known} and as {entry.id}"
            self.findings.add(DUPLICATED, entry.key, text)

    def _remember(self, entry: Entry, record: OrderRecord, version: int) -> None:
        body = entry.body
        data = body["event_data"]
        if entry.topic == CLAIMS_EVENTS:
            self._remember_claim(entry, data)
            return
        if version == record.version:
            record.context = body["context"]
        if entry.topic == ORDERS_EVENTS:
            order = body["context"].get("order") or {}
            record.cities[version] = (order.get("address") or {}).get("city")
        if entry.topic == SHIPMENTS_EVENTS:
            self.owned.add(plain_number(data.get("tracking_number") or ""))
            if (fact := self.shipments.take(entry, data)) is not None:
                self.scans.pop(fact, None)

    def _remember_claim(self, entry: Entry, data: Mapping[str, Any]) -> None:
        cause, sequence = entry.headers.get("ce_causationid", ""), int(entry.headers["ce_sequence"])
        self.causes.setdefault(cause, data["claim_id"])
        if sequence > self.claims.get(data["claim_id"], (0, {}))[0]:
            self.claims[data["claim_id"]] = (sequence, {**data, "order_id": entry.key})
