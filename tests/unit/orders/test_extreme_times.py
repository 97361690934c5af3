"""Times at and beyond both ends of what is taken, in each time member of each message.

The members are found in the contract's models. A message runs through the service's own path, from
its bytes to the records of its outcome and events, and the events through the readers of the other
services. A time that cannot be taken costs what it costs by the contract, with its place named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bench.pure
from bench.counting import Counter
from bench.traffic.messages import Letter
from schemas import claims, commands, tracking
from schemas.topics import CARRIER_TRACKING, EVENT_TOPICS, ORDERS_COMMANDS, ORDERS_OUTCOMES
from services.analytics.messages.decode import read_facts
from services.claims.messages.decode import read_order
from services.orders.domain.tracking.catalogue import CATALOGUE
from services.runtime.messages.headers import read_headers
from services.runtime.messages.records import Coordinates, Original
from tests.unit.orders.contract_members import (
    MODELS,
    Body,
    Path,
    full_body,
    time_members,
    with_value,
)

BEYOND = [
    "0000-01-01T00:00:00Z",
    "0001-01-01",
    "0001-01-01T00:00:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00+14:00",
    "2100-01-01T00:00:00-12:00",
    "2100-01-02",
    "9999-12-31",
    "9999-12-31T23:59:59",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999-14:00",
    "9999-12-31T24:00:00Z",
    "10000-01-01T00:00:00Z",
    "+12026-03-01T00:00:00Z",
    -(10**18),
    10**30,
    253_402_300_800,
]
"""None of them is a time of the contract."""
ENDS = [
    "1970-01-01",
    "1970-01-01T00:00:00Z",
    "1970-01-01T14:00:00+14:00",
    "1970-01-01T00:00:00-12:00",
    "1970-01-01T00:00:00",
    "2099-12-31T23:59:59.999999Z",
    "2100-01-01",
    "2100-01-01T00:00:00Z",
    "2100-01-01T00:00:00",
    "2099-12-31T12:00:00-12:00",
]
"""The first and the last instants that are taken."""


BODIES = {type_: full_body(model) for type_, model in MODELS.items()}
for _type in (commands.SHIPMENT_UPDATE, commands.SHIPMENT_VOID):
    del BODIES[_type]["shipment_id"]  # The example is of no parcel here.
_PLACED = BODIES[commands.ORDER_PLACE]["order"]
_PLACED |= {"order_number": "of no order yet", "external_id": None, "order_name": None}
CREATING = (commands.ORDER_PLACE, commands.ORDER_UPSERT, commands.ORDERS_FULFILL_BULK)
MEMBERS = [(type_, path) for type_, model in MODELS.items() for path in time_members(model)]


@dataclass(slots=True)
class _Rows(bench.pure.Rows):
    """Tables in memory that also take items that are refused, and items that wait."""

    rejected: int = 0

    async def fetch(self, statement: str, *args: Any) -> list[Any]:
        """What a reading statement finds."""
        if statement.startswith("-- save_waiting"):
            return [{"item_id": each} for each in args[0]]
        return await bench.pure.Rows.fetch(self, statement, *args)

    async def execute(self, statement: str, *args: Any) -> None:
        """Do what a writing statement does."""
        if statement.startswith("-- save_rejected"):
            self.rejected += len(args[0])
        else:
            await bench.pure.Rows.execute(self, statement, *args)


@dataclass(slots=True)
class Orders:
    """The orders service between its servers; `sent` are the records that it has published."""

    path: Any = field(default_factory=bench.pure._Path)
    sent: list[tuple[str, str, Body, bytes]] = field(default_factory=list)
    count: int = 0

    def apply(self, type_: str, body: Body) -> Body | None:
        """Apply one message with an id of its own; returns the outcome, if it has one."""
        self.sent.clear()
        self.count += 1
        topic = CARRIER_TRACKING if type_ == tracking.TRACKING_REPORTED else ORDERS_COMMANDS
        headers = (("ce_type", type_.encode()), ("ce_id", f"m-{self.count}".encode()))
        is_command = topic == ORDERS_COMMANDS
        letter = Letter(topic, b"key", json.dumps(body).encode(), headers, int(is_command))
        self.path.run([letter], Counter())
        return next((each for topic, _, each, _ in self.sent if topic == ORDERS_OUTCOMES), None)

    def stored(self) -> _Rows:
        """A copy of what is stored."""
        rows = self.path.rows
        return _Rows(dict(rows.orders), dict(rows.parcels), dict(rows.references), [])

    def events(self) -> list[tuple[str, str, Body, bytes]]:
        """The events that the last message made."""
        return [each for each in self.sent if each[0] in EVENT_TOPICS]


@pytest.fixture(scope="module")
def begun() -> Iterator[Orders]:
    """The service with an order, a parcel and a scan, made of the examples of the contract."""
    with pytest.MonkeyPatch.context() as patched:
        orders = Orders()
        orders.path.rows = _Rows()
        patched.setattr("bench.pure.send_rows", _keeping(orders))
        for type_ in (commands.ORDER_UPSERT, tracking.TRACKING_REPORTED):
            orders.apply(type_, BODIES[type_])
        yield orders


@pytest.fixture
def orders(begun: Orders) -> Iterator[Orders]:
    """The same, whatever other tests send."""
    rows = begun.path.rows
    begun.path.rows = begun.stored()
    yield begun
    begun.path.rows = rows


def _keeping(orders: Orders) -> Any:
    async def send_rows(_producer: object, rows: Any, _topic: object) -> None:
        for row in rows:
            for topic, headers, value in zip(row.topics, row.headers, row.values, strict=True):
                type_ = dict(read_headers(headers))["ce_type"].decode()
                orders.sent.append((topic, type_, json.loads(value), value))

    return send_rows


def pointers_of(outcome: Body) -> list[str]:
    """The places that an outcome's warnings and its refusal name."""
    warned = [each["pointer"] for each in outcome.get("warnings", ())]
    return [*warned, outcome.get("detail") or ""]


def read_by_others(events: list[tuple[str, str, Body, bytes]]) -> None:
    """Read the events as claims and analytics do."""
    at = datetime.fromisoformat("2026-03-05T00:00:00+00:00")
    for topic, type_, _, value in events:
        headers = (("ce_type", type_.encode()),)
        original = Original(Coordinates(topic, 0, 1), b"key", headers, value, at)
        assert read_order(original)
        assert read_facts(original)


def test_time_members_are_found_in_orders_parcels_and_scans() -> None:
    found = {(type_, "/".join(map(str, path))) for type_, path in MEMBERS}

    assert found >= {
        ("order.place", "order/order_placed_at"),
        ("order.upsert", "trackings/0/tracking_placed_at"),
        ("order.cancel", "cancelled_at"),
        ("orders.fulfill_bulk", "items/0/updated_at"),
        ("tracking.reported", "scans/0/eta/from"),
        ("tracking.reported", "scans/0/pickup/date_to"),
    }
    assert not any(list(time_members(model)) for model in claims.MODELS.values())


@pytest.mark.parametrize("type_", MODELS)
def test_message_of_all_examples_is_taken(orders: Orders, type_: str) -> None:
    outcome = orders.apply(type_, BODIES[type_])

    assert outcome is None or outcome["outcome"] in {"applied", "no_change"}, outcome
    assert outcome is None or not outcome.get("warnings"), outcome


@pytest.mark.parametrize("value", BEYOND)
@pytest.mark.parametrize(("type_", "path"), MEMBERS)
def test_time_beyond_the_ends_is_named_and_costs_no_more_than_the_contract_says(
    orders: Orders, type_: str, path: Path, value: Any
) -> None:
    outcome = orders.apply(type_, with_value(BODIES[type_], path, value))

    if outcome is None:  # A report: the scan or what describes it is left out.
        assert orders.path.rows.rejected <= 1
        return
    inside = path[2:] if type_ == commands.ORDERS_FULFILL_BULK and len(path) > 2 else path
    pointer = "".join(f"/{step}" for step in inside)
    assert any(pointer in each for each in pointers_of(outcome)), outcome
    read_by_others(orders.events())


@pytest.mark.parametrize("value", ENDS)
@pytest.mark.parametrize(("type_", "path"), MEMBERS)
def test_time_at_an_end_is_decided_and_published(
    orders: Orders, type_: str, path: Path, value: Any
) -> None:
    outcome = orders.apply(type_, with_value(BODIES[type_], path, value))

    assert outcome is None or outcome["outcome"] in {"applied", "no_change"}, outcome
    read_by_others(orders.events())
    assert orders.apply(commands.ORDER_UPSERT, BODIES[commands.ORDER_UPSERT])
    read_by_others(orders.events())


@pytest.mark.parametrize("value", ENDS)
@pytest.mark.parametrize(("type_", "path"), [each for each in MEMBERS if each[0] in CREATING])
def test_time_at_an_end_is_taken_of_a_new_order(
    orders: Orders, type_: str, path: Path, value: str
) -> None:
    orders.path.rows = _Rows()

    outcome = orders.apply(type_, with_value(BODIES[type_], path, value))

    assert outcome
    assert outcome["outcome"] == "applied"
    assert orders.events()
    read_by_others(orders.events())
    if type_ != commands.ORDER_PLACE:  # It attaches no parcel.
        orders.apply(tracking.TRACKING_REPORTED, BODIES[tracking.TRACKING_REPORTED])
        read_by_others(orders.events())


def times() -> st.SearchStrategy[str]:
    return st.sampled_from([*ENDS, "2026-03-02T10:00:00Z", "2026-03-02T22:00:00"])


SCANS = st.fixed_dictionaries(
    {"event_name": st.sampled_from(sorted(CATALOGUE)), "occurred_at": times()},
    optional={
        "precision": st.sampled_from(["second", "day"]),
        "timezone": st.sampled_from(["Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin"]),
        "eta": st.fixed_dictionaries({}, optional={"from": times(), "to": times()}),
        "pickup": st.fixed_dictionaries({"date_to": times()}),
        "direction": st.sampled_from(["merchant_customer", "customer_merchant"]),
    },
)


@given(
    scans=st.lists(SCANS, min_size=1, max_size=4),
    placed=times(),
    attached=times(),
    promised=times(),
    order=st.permutations([commands.ORDER_UPSERT, tracking.TRACKING_REPORTED]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_history_with_times_at_the_ends_is_decided_and_published(
    orders: Orders,
    scans: list[Body],
    placed: str,
    attached: str,
    promised: str,
    order: list[str],
) -> None:
    bodies = {
        commands.ORDER_UPSERT: with_value(
            with_value(
                with_value(
                    BODIES[commands.ORDER_UPSERT],
                    ("order", "promised_delivery_date"),
                    promised[:10],
                ),
                ("order", "order_placed_at"),
                placed,
            ),
            ("trackings", 0, "tracking_placed_at"),
            attached,
        )
        | {"updated_at": None},
        tracking.TRACKING_REPORTED: BODIES[tracking.TRACKING_REPORTED] | {"scans": scans},
    }

    before = orders.stored()
    for type_ in order:
        outcome = orders.apply(type_, bodies[type_])

        assert outcome is None or outcome["outcome"] in {"applied", "no_change"}, outcome
        read_by_others(orders.events())
    orders.path.rows = before
