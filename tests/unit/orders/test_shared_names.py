"""Order names that several orders have: what they name, what is refused, and what is warned of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.order import Address, Analytics, Order
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.domain.model.shared_names import BEARERS_MAX
from services.orders.domain.model.warnings import WarningCode
from services.orders.messages.decode import read
from services.runtime.messages.records import Original
from tests.unit.orders.builders import (
    SHOP,
    Desk,
    cancel,
    event_types,
    fields,
    place,
    ref,
    update,
    upsert,
)
from tests.unit.orders.shelf import NOW, Shelf, record_of

NAME = ref("#1001", "order_name")


def named(desk: Desk, *numbers: str, name: str = NAME.value) -> Desk:
    """Give orders of these numbers one name."""
    for number in numbers:
        assert desk.send(upsert(ref(number), fields(number, order_name=name))).orders
    return desk


def found_by(desk: Desk, reference: Reference = NAME) -> str | None:
    """The number of the order that a command by this reference alone is applied to."""
    decision = desk.copy().send(cancel(reference))
    numbers = {order.order_id: order.order_number for order in desk.orders.values()}
    return numbers[decision.order_id or ""] if decision.outcome is Outcome.APPLIED else None


# ----------------------------------------------------------------------------------- giving a name
@pytest.mark.parametrize(
    "give",
    [
        lambda: place("2", order_name="#1001"),
        lambda: upsert(ref("2"), fields("2", order_name="#1001")),
        lambda: upsert(NAME, fields("2")),
    ],
    ids=["place", "upsert", "upsert by the name"],
)
def test_shared_name_is_taken_with_a_warning(give):
    desk = named(Desk(), "1")

    command = give()
    decision = desk.send(command)

    (warning,) = decision.warnings
    assert event_types(decision) == ["order.placed"]
    assert desk.order("2").placement.order_name == "#1001"
    assert warning.code is WarningCode.NAME_SHARED
    assert warning.pointer == (
        "/id" if getattr(command, "reference", None) == NAME else "/order/order_name"
    )
    assert "'1'" in warning.detail
    assert "#1001" not in warning.detail


def test_shared_name_is_warned_of_once():
    desk = named(Desk(), "1", "2")

    again = desk.send(upsert(ref("2"), fields("2", order_name="#1001", email_id="a@b.example")))

    assert again.outcome is Outcome.APPLIED
    assert not again.warnings


def test_name_that_another_order_only_had_is_taken_without_a_warning():
    desk = named(named(Desk(), "1"), "1", name="#2")

    decision = desk.send(place("2", order_name="#1001"))

    assert decision.outcome is Outcome.APPLIED
    assert not decision.warnings


def test_external_id_of_another_order_is_refused_beside_a_shared_name():
    desk = Desk()
    desk.send(place("1", external_id="X", order_name="#1001"))

    decision = desk.send(place("2", external_id="X", order_name="#1001"))

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.REFERENCE_CONFLICT)
    assert decision.pointer == "/order/external_id"


# ------------------------------------------------------------------------------ what a name means
# Each order's names in the order in which it had them, and the order that "#1001" names: `None` is
# ambiguous.
MEANINGS = {
    "one has it": ({"1": ["#1001"]}, "1"),
    "two have it": ({"1": ["#1001"], "2": ["#1001"]}, None),
    "one had it": ({"1": ["#1001", "#2"]}, "1"),
    "one has it, one had it": ({"1": ["#1001", "#2"], "2": ["#1001"]}, "2"),
    "two had it": ({"1": ["#1001", "#2"], "2": ["#1001", "#3"]}, None),
    "two have it, one had it": ({"1": ["#1001", "#2"], "2": ["#1001"], "3": ["#1001"]}, None),
    "one has it again": ({"1": ["#1001", "#2", "#1001"], "2": ["#1001", "#3"]}, "1"),
}


@pytest.mark.parametrize("case", MEANINGS)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_name_means_the_one_order_that_has_it_else_the_one_that_had_it(case, is_reversed):
    names, meant = MEANINGS[case]
    desk = Desk()
    for number, given_names in sorted(names.items(), reverse=is_reversed):
        for name in given_names:
            named(desk, number, name=name)

    assert found_by(desk) == meant


@pytest.mark.parametrize(
    "by_name",
    [
        lambda: upsert(NAME, trackings=(Tracking(tracking_number="N1"),)),
        lambda: upsert(NAME, order_analytics=Analytics(source="mail")),
        lambda: update(NAME, address=Address(zip_code="1")),
        lambda: cancel(NAME),
    ],
    ids=["parcel", "attribution", "update", "cancel"],
)
def test_command_by_a_shared_name_alone_is_refused_with_the_orders_of_the_name(by_name):
    desk = named(Desk(), "1", "B-1")

    decision = desk.send(by_name())

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.REFERENCE_AMBIGUOUS)
    assert decision.pointer == "/id"
    assert decision.order_id is None
    assert decision.detail == (
        "order_name '#1001' names 2 orders ('1', 'B-1'); name the order by order_number, "
        "external_id or uuid."
    )


@pytest.mark.parametrize("number", ["1", "2", "3"])
@pytest.mark.parametrize("bearers", [("1",), ("1", "2")], ids=["one has it", "two have it"])
def test_shared_name_beside_a_number_only_describes_the_order(number, bearers):
    desk = Desk()
    for each in ("1", "2"):
        desk.send(place(each))
    named(desk, *bearers)

    decision = desk.send(upsert(NAME, fields(number, email_id="a@shop.example")))

    assert decision.outcome is Outcome.APPLIED
    assert decision.order_id == order_id_of(SHOP, number)
    assert desk.order(number).placement.order_name == "#1001"


def test_shared_name_of_another_order_that_the_order_does_not_get_is_refused():
    desk = named(Desk(), "1", "2")
    desk.send(place("3"))

    decision = desk.send(upsert(NAME, fields("3", order_name="#3")))

    assert (decision.reason, decision.pointer) == (Reason.REFERENCE_CONFLICT, "/id")


def test_order_can_be_renamed_by_the_name_that_it_shares():
    desk = named(Desk(), "1", "2")

    decision = desk.send(upsert(NAME, fields("2", order_name="#1002")))

    assert decision.outcome is Outcome.APPLIED
    assert found_by(desk) == "1"
    assert found_by(desk, ref("#1002", "order_name")) == "2"


def test_name_of_another_shop_is_another_name():
    desk = named(Desk(), "1")
    desk.send(place("1", shop="b", order_name="#1001"))

    assert found_by(desk) == "1"


def test_item_applied_by_a_name_is_a_repeat_when_the_name_is_shared_and_when_it_has_moved():
    desk = named(Desk(), "1")
    command = update(NAME, address=Address(zip_code="1"))
    assert desk.send(command).outcome is Outcome.APPLIED

    answers = []
    for change in (lambda: named(desk, "2"), lambda: named(desk, "1", name="#2")):
        change()
        answers.append(desk.send(command))

    assert [(each.outcome, each.reason) for each in answers] == [
        (Outcome.NO_CHANGE, Reason.DUPLICATE)
    ] * 2
    assert {each.order_id for each in answers} == {order_id_of(SHOP, "1")}


def test_item_beside_a_number_is_answered_with_the_order_of_the_number():
    desk = named(Desk(), "1")
    command = upsert(NAME, fields("2", order_name="#1001"))
    desk.send(command)
    named(desk, "2", name="#2")

    decision = desk.send(command)

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.DUPLICATE)
    assert decision.order_id == order_id_of(SHOP, "2")


def test_name_of_many_orders_is_ambiguous_for_good():
    numbers = [f"{at:02}" for at in range(BEARERS_MAX)]
    desk = named(Desk(), *numbers[:-1])
    for number in numbers[1:-1]:
        named(desk, number, name=f"#{number}")
    assert found_by(desk) == "00"

    last = desk.send(upsert(ref(numbers[-1]), fields(numbers[-1], order_name="#1001")))
    named(desk, numbers[-1], name="#last")
    named(desk, "beyond")

    decision = desk.send(cancel(NAME))
    assert [each.code for each in last.warnings] == [WarningCode.NAME_SHARED]
    assert decision.reason is Reason.REFERENCE_AMBIGUOUS
    assert "names 16 or more orders" in (decision.detail or "")
    assert len(desk.shared[NAME]) == BEARERS_MAX
    assert found_by(desk, ref("beyond")) == "beyond"


# ------------------------------------------------------------------------- any order and batching
NAMES = ("#1", "#2")


def _placement(number: str, name: str) -> dict[str, object]:
    return {"order_number": number, "order_name": name, "address": {"zip_code": "10115"}}


@st.composite
def _renamings(draw: st.DrawFn) -> list[tuple[str, dict[str, object]]]:
    """Commands that give one order names, one after the other, in every way that there is."""
    number = draw(st.sampled_from(["1", "2", "3", "4"]))
    commands: list[tuple[str, dict[str, object]]] = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)):
        order = _placement(number, name)
        by_number: dict[str, object] = {"id": number, "order": order}
        ways = [
            ("order.upsert", by_number),
            ("order.upsert", {"id": name, "id_type": "order_name", "order": order}),
            ("orders.fulfill_bulk", {"items": [by_number]}),
        ]
        ways += [] if commands else [("order.place", {"order": order})]
        commands.append(draw(st.sampled_from(ways)))
    return commands


@st.composite
def _arrivals(draw: st.DrawFn) -> tuple[list[list[tuple[str, dict[str, object]]]], list[int]]:
    orders = draw(st.lists(_renamings(), min_size=1, max_size=4, unique_by=_number_of))
    turns = [at for at, commands in enumerate(orders) for _ in commands]
    return orders, draw(st.permutations(turns))


def _number_of(commands: list[tuple[str, dict[str, object]]]) -> str:
    body = commands[0][1]
    items = body.get("items")
    first = items[0] if isinstance(items, list) else body
    return str(first["order"]["order_number"])


def _arrived(records: Sequence[Original], sizes: Sequence[int]) -> Shelf:
    shelf, rest = Shelf(), list(records)
    for size in cycle(sizes):
        if not rest:
            return shelf
        shelf.apply([entry for record in rest[:size] for entry in read(record, NOW)])
        rest = rest[size:]
    raise AssertionError("unreachable: a cycle has no end")


def _answers(shelf: Shelf) -> list[object]:
    """What a command by each name is answered, without what it changes."""
    answers: list[object] = []
    for at, name in enumerate(NAMES):
        body = {"shop_slug": "a", "id": name, "id_type": "order_name"}
        shelf.apply(read(record_of(1000 + at, f"ask-{at}", "order.cancel", body), NOW))
        decision = shelf.decided[-1].decision
        answers.append((decision.outcome, decision.reason, decision.detail, decision.order_id))
    return answers


@given(_arrivals(), st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=200)
def test_any_order_of_arrival_and_batching_has_the_same_bearers_and_answers(arrival, sizes):
    orders, turns = arrival
    rows = [(type_, {"shop_slug": "a"} | body) for commands in orders for type_, body in commands]
    firsts = [sum(len(each) for each in orders[:at]) for at in range(len(orders))]
    mixed = []
    for at in turns:
        mixed.append(firsts[at])
        firsts[at] += 1

    one_by_one = _arrived([_sent(at, *row) for at, row in enumerate(rows)], [1])
    shuffled = _arrived([_sent(at, *rows[at]) for at in mixed], sizes)

    for shelf in (one_by_one, shuffled):
        assert {each.decision.outcome for each in shelf.decided} <= {
            Outcome.APPLIED,
            Outcome.NO_CHANGE,
        }
    assert _bearers(shuffled) == _bearers(one_by_one)
    assert _placements(shuffled) == _placements(one_by_one)
    assert _answers(shuffled) == _answers(one_by_one)


def _sent(at: int, type_: str, body: dict[str, object]) -> Original:
    return record_of(at, f"u-{at}", type_, body)


def _bearers(shelf: Shelf) -> dict[str, set[str]]:
    names = [each for each in shelf.references if each.kind is ReferenceKind.ORDER_NAME]
    return {each.value: set(shelf.shared.get(each, (shelf.references[each],))) for each in names}


def _placements(shelf: Shelf) -> dict[str, Order]:
    return {id_: order.placement for id_, order in shelf.orders.items()}
