"""P7 (docs/promises.md): released messages catch changes of the models that no schema shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import Field, model_validator

from schemas import commands, events
from schemas.gate.breaks import INSTEAD, Rule
from schemas.gate.judge import judge
from schemas.model import refused
from schemas.orders import OrderPlacement
from tests.contract.gate_cases import BREAKING, KEPT, READ


class Checked(commands.OrderPlace):
    """A check that no JSON Schema shows."""

    @model_validator(mode="after")
    def _has_products(self):
        if not self.order.products:
            raise refused("an order needs products")
        return self


class Lowered(OrderPlacement):
    """Reads a value otherwise than before."""

    @model_validator(mode="before")
    @classmethod
    def _lower(cls, data):
        return data | {"order_name": str(data.get("order_name", "")).lower()}


class PlaceLowered(commands.OrderPlace):
    """The same inside a command."""

    order: Lowered


class Aliased(commands.OrderCancel):
    """A member under another name."""

    reason: str | None = Field(default=None, alias="why")


class StrictEvent(events.OrderEvent):
    """Needs what older events lack."""

    order_version: int


class WithoutItems(commands.BulkFulfillment):
    """A check of what lies inside a bulk command."""

    @model_validator(mode="after")
    def _has_order(self):
        if self.order is None:
            raise refused("each item needs its order")
        return self


MODELS = {
    "a check in Python": (
        "order.place", Checked, Rule.EXAMPLE, "an order needs products"),
    "read otherwise": (
        "order.place", PlaceLowered, Rule.READING, "is read as"),
    "alias renamed": (
        "order.cancel", Aliased, Rule.READING, 'is read as "(absent)"'),
    "a check in an item of a bulk": (
        "orders.fulfill_bulk.item", WithoutItems, Rule.EXAMPLE, "each item needs its order"),
}  # fmt: skip


@pytest.mark.parametrize("case", MODELS)
def test_released_messages_catch_changes_that_no_schema_shows(case, release, changed):
    type_, model, rule, words = MODELS[case]

    found = judge(release, changed, {type_: model})

    assert rule in {b.rule for b in found}
    assert any(words in b.fact for b in found)
    assert all(READ in b.victims for b in found)


def test_released_events_stay_readable_for_readers_who_update(release, changed):
    old = replace(release, contract=replace(release.contract, examples=tuple(_older(release))))

    found = judge(old, changed, {"order.placed": StrictEvent})

    assert [(b.message, b.rule) for b in found if b.rule is Rule.EXAMPLE] == [
        ("order.placed", Rule.EXAMPLE)
    ]
    assert all(KEPT in b.victims for b in found)


def _older(release):
    for example in release.contract.examples:
        if example.type == "order.placed":
            value = {k: v for k, v in example.value.items() if k != "order_version"}
            yield replace(example, value=value)


def test_rules_all_have_a_way_out_and_a_case():
    used = {case[3] for case in BREAKING.values()} | {case[2] for case in MODELS.values()}

    assert set(INSTEAD) == set(Rule)
    assert used | {Rule.RELEASE} == set(Rule)
