"""Commands of campaigns that are refused, through Kafka: each with its reason, and without effect.

All go out in one go, in one partition for each shop, between commands that are accepted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from demo.messages import command
from demo.player import Pending
from demo.script import ScriptMessage
from deploy.stack import Addresses
from schemas.topics import CAMPAIGNS_EVENTS
from tests.e2e.aftermath import read_journal, until_reviewed
from tests.processes import NOON, System, running

pytestmark = pytest.mark.timeout(180)

SHOP, FULL = "shop", "full"
SINCE = "2026-02-01T00:00:00Z"
LATER, EARLIER = "2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z"
CAMPAIGNS_MAX, TESTS_MAX = 1_000, 200
"""Most of a shop, as docs/contract/campaigns.md says."""
IDS = ("campaign_id", "discount_id", "test_id")


@dataclass(frozen=True, slots=True)
class Refused:
    """A command, and what its sender must be answered."""

    type: str
    body: dict[str, Any]
    reason: str
    pointer: str


def campaign(id_: str, segment: str, **said: Any) -> dict[str, Any]:
    known = {"campaign_id": id_, "name": id_, "segment": segment, "promotion_type": "basic"}
    return {**known, "effective_at": SINCE, **said}


def discount(id_: str, **said: Any) -> dict[str, Any]:
    known = {"discount_id": id_, "code": id_, "type": "order", "value_type": "percentage"}
    return {**known, "value": "10", "effective_at": SINCE, **said}


def ab_test(id_: str, shares: list[tuple[str, int]], **said: Any) -> dict[str, Any]:
    variants = [{"campaign_id": each, "allocation": share} for each, share in shares]
    known = {"test_id": id_, "name": id_, "segment": f"of {id_}", "campaigns": variants}
    return {**known, "effective_at": SINCE, **said}


SHOWN = campaign("spring", "vip", enabled=True)
DISCOUNT = discount("ten", code="TEN")
RUNNING = ab_test("running", [("a", 50), ("b", 50)])
ACCEPTED = [
    ("campaign.upsert", SHOWN),
    ("campaign.upsert", campaign("a", "s")),
    ("campaign.upsert", campaign("b", "s")),
    ("discount.upsert", DISCOUNT),
    ("ab_test.upsert", RUNNING),
]


def of_running(reason: str = "ab_test_running", **said: Any) -> dict[str, Any]:
    return {"type": "ab_test.upsert", "body": {**RUNNING, **said}, "reason": reason}


def on_nothing(id_: str, pointer: str, **said: Any) -> Refused:
    return Refused("discount.upsert", discount(id_, **said), "discount_on_nothing", pointer)


def not_summing(pointer: str, shares: list[tuple[str, int]], **said: Any) -> Refused:
    body = ab_test("new", shares, **said)
    return Refused("ab_test.upsert", body, "allocations_do_not_sum", pointer)


REFUSED = {
    "second of a segment": Refused(
        "campaign.upsert", campaign("x", "vip", enabled=True), "campaign_overlaps", "/segment"
    ),
    "pause of unknown": Refused(
        "campaign.pause", {"campaign_id": "x"}, "campaign_not_found", "/campaign_id"
    ),
    "removal of unknown": Refused(
        "campaign.remove", {"campaign_id": "x"}, "campaign_not_found", "/campaign_id"
    ),
    "campaign ends before": Refused(
        "campaign.upsert",
        campaign("x", "y", start_date=LATER, end_date=EARLIER),
        "ends_before_start",
        "/end_date",
    ),
    "discount ends before": Refused(
        "discount.upsert",
        discount("x", starts_at=LATER, ends_at=EARLIER),
        "ends_before_start",
        "/ends_at",
    ),
    "test ends before": Refused(
        "ab_test.upsert",
        ab_test("new", [("a", 100)], start_date=LATER, end_date=EARLIER),
        "ends_before_start",
        "/end_date",
    ),
    "shares below 100": not_summing("/campaigns", [("a", 40), ("b", 50)]),
    "shares with hold-out above 100": not_summing(
        "/campaigns", [("a", 100)], has_holdout=True, holdout_percentage=1
    ),
    "hold-out that is not there": not_summing(
        "/holdout_percentage", [("a", 90)], has_holdout=False, holdout_percentage=10
    ),
    "campaign twice": not_summing("/campaigns", [("a", 50), ("a", 50)]),
    "other shares": Refused(
        pointer="/campaigns",
        **of_running(campaigns=[{"campaign_id": "a", "allocation": 100}]),
    ),
    "other segment": Refused(pointer="/segment", **of_running(segment="other")),
    "other start": Refused(pointer="/start_date", **of_running(start_date=EARLIER)),
    "value 0": on_nothing("x", "/value", value="0"),
    "more than all": on_nothing("x", "/value", value="100.01"),
    "amount of no currency": on_nothing("x", "/currency", value_type="fixed_amount"),
    "specific without targets": on_nothing("x", "/targets", target_selection="specific"),
    "group without targets": on_nothing("x", "/targets", target_selection="group"),
    "other code": Refused(
        "discount.upsert", {**DISCOUNT, "code": "ELEVEN"}, "discount_code_fixed", "/code"
    ),
    "unknown promotion": Refused(
        "campaign.upsert",
        campaign("x", "y", promotion_type="pop-up"),
        "invalid_fields",
        "/promotion_type",
    ),
}


def said(shop: str, type_: str, body: dict[str, Any], id_: str) -> ScriptMessage:
    return command(shop, type_, body, NOON, id_=id_, key=shop)


def filling() -> Iterator[ScriptMessage]:
    """As many campaigns and tests as a shop can have, one more each, and one for a removed one."""
    for n in range(CAMPAIGNS_MAX + 1):
        yield said(FULL, "campaign.upsert", campaign(f"c{n}", f"s{n}", enabled=True), f"c{n}")
    yield said(FULL, "campaign.remove", {"campaign_id": "c0", "effective_at": EARLIER}, "removed")
    yield said(FULL, "campaign.upsert", campaign("freed", "freed", enabled=True), "freed")
    for n in range(TESTS_MAX + 1):
        yield said(FULL, "ab_test.upsert", ab_test(f"t{n}", [("c1", 100)]), f"t{n}")


def placement() -> ScriptMessage:
    order = {"order_number": "1", "address": {"zip_code": "1"}, "segments": ["vip"]}
    return command(f"{SHOP}/1", "order.place", {"order": order}, NOON, id_="order")


async def test_campaign_refusals_reach_their_sender_by_kafka_and_change_nothing(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> None:
    accepted = [said(SHOP, *each, f"accepted {n}") for n, each in enumerate(ACCEPTED)]
    refused = [said(SHOP, each.type, each.body, name) for name, each in REFUSED.items()]
    last = said(SHOP, "campaign.upsert", campaign("last", "z"), "last")
    full = list(filling())
    sent_all = [*accepted, placement(), *refused, last, *full]
    async with running(
        stack, tmp_path_factory.mktemp("refusals"), copies=1, only=["orders"]
    ) as system:
        pending = await system.send(*sent_all)
        await until_reviewed(system)

        sent = {dict(each.message.headers)["ce_id"].decode(): each for each in pending}
        for name, each in REFUSED.items():
            await check_refused(system, sent[name], each)
        await check_full(system, sent)
        taken = [*(f"accepted {n}" for n in range(len(ACCEPTED))), "last"]
        await check_nothing_else(system, taken)


async def check_refused(system: System, sent: Pending, expected: Refused) -> None:
    """Its answer is on both topics, with reason, member and what it was about."""
    refusal = await system.refusal(sent)
    (error,) = refusal["errors"]
    outcome = system.watcher.outcomes[sent.places[0]]
    name = dict(sent.message.headers)["ce_id"].decode()
    assert (refusal["reason"], error["pointer"]) == (expected.reason, expected.pointer), name
    assert error["message"], name
    assert (outcome["outcome"], outcome["reason"]) == ("rejected", expected.reason), name
    if expected.reason != "invalid_fields":  # Of one that is not read, nothing is known.
        (about,) = (expected.body[each] for each in IDS if each in expected.body)
        assert outcome["campaign_id"] == about, name


async def check_full(system: System, sent: dict[str, Pending]) -> None:
    """The last one that a shop can have is accepted, the next one not, until one is removed."""
    for name in (f"c{CAMPAIGNS_MAX - 1}", "removed", "freed", f"t{TESTS_MAX - 1}"):
        assert system.outcome(sent[name]) == ("applied", None), name
    for name, pointer in {f"c{CAMPAIGNS_MAX}": "/campaign_id", f"t{TESTS_MAX}": "/test_id"}.items():
        expected = Refused("", {"campaign_id": name}, "too_many_campaigns", pointer)
        await check_refused(system, sent[name], expected)


async def check_nothing_else(system: System, taken: list[str]) -> None:
    """Events, stored campaigns and the order are those of the accepted commands alone."""
    journal = await read_journal(system)
    numbers: dict[str, list[int]] = {SHOP: [], FULL: []}
    for entry in journal[CAMPAIGNS_EVENTS]:
        numbers[entry.key].append(entry.body["sequence"])
    causes = [e.headers["ce_causationid"] for e in journal[CAMPAIGNS_EVENTS] if e.key == SHOP]
    assert causes == taken
    assert numbers[SHOP] == list(range(1, len(taken) + 1))
    assert numbers[FULL] == list(range(1, CAMPAIGNS_MAX + TESTS_MAX + 3))

    rows = await system.ask("SELECT shop, kind, entry_id, document FROM orders.campaign_entry")
    stored = {(row["kind"], row["entry_id"]): row for row in rows if row["shop"] == SHOP}
    bodies = {("campaign", each) for each in ("spring", "a", "b", "last")}
    assert stored.keys() == bodies | {("discount", "ten"), ("ab_test", "running")}
    versions = [len(json.loads(row["document"])["versions"]) for row in stored.values()]
    assert versions == [1] * len(stored)
    held = Counter(row["kind"] for row in rows if row["shop"] == FULL)
    assert held == {"campaign": CAMPAIGNS_MAX + 1, "ab_test": TESTS_MAX}

    found = await system.audit()
    assert found.orders[f"{SHOP}/1"]["campaign"]["campaign_id"] == "spring"
    assert found.refusals.total() == len(REFUSED) + 2
