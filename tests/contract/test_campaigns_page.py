"""The page about campaigns: its sums, its commands, and what it says of referrals."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orderflow.send.prepare import prepare
from schemas.example_files import load_examples
from schemas.orders import OrderReferral

PAGE = (Path(__file__).resolve().parents[2] / "docs/contract/campaigns.md").read_text("utf-8")
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
CREDITS = st.none() | st.fixed_dictionaries(
    {
        "campaign_id": st.sampled_from(["spring", "winter"]),
        "revenue": st.decimals(0, 10_000, places=2).map(str),
        "currency": st.sampled_from(["EUR", "SEK"]),
    }
)


def add_up_of_the_page() -> Any:
    """The function of the page, as a subscriber would have it."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"Decimal": Decimal}
    exec(block, names)
    return names["add_up"]


ADD_UP = add_up_of_the_page()


def events_of(order: str, steps: list[Any]) -> list[dict[str, Any]]:
    """The events of an order whose credit is each of these, one after the other."""
    former, events = None, []
    for version, credit in enumerate(steps, start=1):
        data = {"attribution_version": version, "credit": credit, "former_credit": former}
        events.append({"order_id": order, "event_data": data})
        former = credit
    return events


@given(st.lists(st.lists(CREDITS, min_size=1, max_size=5), max_size=4), st.data())
def test_sums_of_the_page_are_the_credits_after_every_correction(orders, data) -> None:
    """Events of each order come in order, some of them twice."""
    versions: dict[str, int] = {}
    sums: dict[tuple[str, str], Decimal] = {}
    expected: dict[tuple[str, str], Decimal] = {}

    for number, steps in enumerate(orders):
        for event in events_of(str(number), steps):
            for _ in range(data.draw(st.integers(1, 2))):
                ADD_UP(event, versions, sums)
        if last := steps[-1]:
            key = last["campaign_id"], last["currency"]
            expected[key] = expected.get(key, Decimal(0)) + Decimal(last["revenue"])

    assert {key: total for key, total in sums.items() if total} == {
        key: total for key, total in expected.items() if total
    }


def test_sums_of_the_examples_end_with_the_cancellation_of_their_order() -> None:
    examples = [*load_examples("order.attributed"), *load_examples("order.unattributed")]
    events = sorted(
        (each.value for each in examples),
        key=lambda event: event["event_data"]["attribution_version"],
    )
    versions: dict[str, int] = {}
    sums: dict[tuple[str, str], Decimal] = {}
    steps = []

    for event in events:
        ADD_UP(event, versions, sums)
        ADD_UP(event, versions, sums)
        steps.append({key[0]: total for key, total in sums.items() if total})

    assert steps == [
        {"spring": Decimal("33.40")},
        {"winter": Decimal("33.40")},
        {"winter": Decimal("25.90")},
        {},
    ]


def test_page_names_the_keys_of_a_landing_url_that_are_kept() -> None:
    said = set(re.findall(r"`((?:of|utm)_\w+)`", OrderReferral.__doc__ or ""))

    (sentence,) = re.findall(r"Of a landing URL only these keys are read and kept: (.*?)\. ", PAGE)

    assert said == set(re.findall(r"`(\w+)`", sentence))
    assert said


def test_page_has_commands_of_campaigns_that_can_be_sent() -> None:
    blocks = re.findall(r"<<'LINES'\n(.*?)LINES\n", PAGE, re.DOTALL)

    read = [prepare(block.encode().splitlines(), NOW) for block in blocks]

    assert [(each.flaws, each.doubts) for each in read] == [([], []), ([], [])]
    assert [[message.key for message in each.messages] for each in read] == [
        ["demo-shop/1010"] * 3,
        ["demo-shop"] * 2,
    ]
