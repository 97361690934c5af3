"""Activities of pages on a real Postgres: counted once, in any order; what visits led to."""

import random
from collections import Counter, defaultdict
from decimal import Decimal

import orjson
import pytest

from services.analytics.domain.shares import difference_interval
from services.analytics.handler import EventBatches
from services.analytics.operations import rebuild
from services.analytics.operations.campaign_report import (
    ArmFigures,
    CampaignQuery,
    read_arms,
    read_campaigns,
)
from services.runtime.batch.batch import Batch
from services.runtime.observability.metrics import Metrics
from tests.integration.analytics.batches import apply, shuffled_batches
from tests.integration.outgoing import waiting_records
from tests.unit.analytics.builders import (
    NOON,
    a_record,
    a_sale,
    an_activity,
    an_activity_record,
    an_order_event,
)

BATCH_MAX = 9
TEST = "spring-test"
ARMS = ("spring-a", "spring-b", None)


async def counters(connection):
    """Impressions, clicks and visits by campaign, widget and day."""
    rows = await connection.fetch(
        """SELECT campaign_id, widget, seen_on::text, sum(impressions)::int, sum(clicks)::int,
                  sum(sessions)::int
             FROM campaign_activity GROUP BY 1, 2, 3"""
    )
    return {tuple(row)[:3]: tuple(row)[3:] for row in rows}


def drawn_pages(dice, numbers):
    """Activities of some visits on the pages of orders, some by bots, some without consent."""
    for visit in range(40):
        number = dice.choice(numbers)
        who = {
            "session_id": f"session-{visit // 2}",
            "consent": dice.random() < 0.8,
            "user_agent": dice.choice(["Firefox/130.0"] * 5 + ["curl/8.5.0"]),
        }
        for act in range(dice.randint(1, 4)):
            yield an_activity(
                number,
                activity_id=f"{visit}-{act}" if dice.random() < 0.7 else None,
                kind=dice.choice(["impression", "impression", "click"]),
                widget=dice.choice(["basic", "banner", "status"]),
                campaign_id=dice.choice(["spring", "winter", None]),
                occurred_at=f"2026-03-0{1 + visit % 2}T0{act}:00:{visit:02}Z",
                **who,
            )


def expected_counters(activities):
    """The same from a list of activities, each once, without those of bots."""
    found = defaultdict(lambda: [0, 0, set()])
    known = {each["activity_id"] or orjson.dumps(each): each for each in activities}
    for each in known.values():
        if "curl" in each["user_agent"]:
            continue
        day = min(each["occurred_at"][:10], "2026-03-01")  # The message is from noon of that day.
        counted = found[each["campaign_id"] or "", each["widget"], day]
        counted[each["kind"] == "click"] += 1
        if each["consent"]:
            counted[2].add(each["session_id"])
    return {key: (shown, clicked, len(seen)) for key, (shown, clicked, seen) in found.items()}


def drawn_orders(dice, numbers):
    """Events of orders: their arms, credits and visits change, and some are cancelled."""
    for number in numbers:
        for version in (1, 2, 3):
            shown = dice.choice(ARMS)
            sale = a_sale(
                dice.choice(["spring-a", "spring-b", None]),
                f"{dice.randrange(10_000) / 100:.2f}",
                shown=shown,
                test=dice.choice([TEST, TEST, None]),
                session=dice.choice([None, *(f"session-{n}" for n in range(20))]),
            )
            if dice.random() < 0.15:
                sale |= {"status": "cancelled", "cancelled_at": "2026-03-02T08:00:00Z"}
            yield an_order_event(number, version, **sale)


def expected_purchases(events, activities):
    """Repurchases by credited campaign, and visits and buyers by arm, from scratch."""
    orders = {event["context"]["order"]["order_number"]: event for event in events}
    orders = {number: event["context"]["order"] for number, event in orders.items()}
    opened = defaultdict(set)
    for each in activities:
        if each["consent"] and "curl" not in each["user_agent"]:
            opened[each["session_id"]].add(each["id"])
    bought, repurchases = defaultdict(set), Counter()
    for number, order in orders.items():
        credit = (order.get("attribution") or {}).get("credit") or {}
        session = credit.get("session_id") or (order.get("order_analytics") or {}).get("session_id")
        if session and order["status"] != "cancelled":
            bought[session].add(number)
            repurchases[credit.get("campaign_id")] += bool(opened[session] - {number})
    arms = defaultdict(dict)
    for session, numbers in opened.items():
        for number in numbers:
            choice = orders[number].get("campaign") or {}
            if choice.get("test_id"):
                arm = arms[choice["campaign_id"]]
                arm[session] = arm.get(session, False) or bool(bought[session] - {number})
    return +repurchases, {arm: (len(each), sum(each.values())) for arm, each in arms.items()}


async def read_purchases(connection):
    """The same as the reports have it."""
    campaigns = await read_campaigns(connection, CampaignQuery())
    arms = await read_arms(connection, CampaignQuery())
    return (
        Counter({row.campaign_id: row.repurchases for row in campaigns.rows if row.repurchases}),
        {row.campaign_id: (row.sessions, row.buyers) for row in arms.rows},
    )


@pytest.mark.parametrize("seed", range(4))
async def test_activities_and_purchases_are_the_same_in_any_order_and_repeated(
    connection, batches, seed
):
    dice = random.Random(seed)
    numbers = [str(1000 + n) for n in range(12)]
    events, activities = list(drawn_orders(dice, numbers)), list(drawn_pages(dice, numbers))
    coming = [*events, *activities, *dice.sample(events, 9), *dice.sample(activities, 20)]

    for batch in shuffled_batches(dice, coming, BATCH_MAX):
        await apply(connection, batches, *batch)

    assert await counters(connection) == expected_counters(activities)
    repurchases, arms = expected_purchases(events, activities)
    assert await read_purchases(connection) == (repurchases, arms)
    assert sum(repurchases.values()) > 0 < sum(buyers for _, buyers in arms.values())

    async with connection.transaction():
        await rebuild.empty(connection, NOON)
    assert await counters(connection) == expected_counters(activities)
    assert await read_purchases(connection) == (Counter(), {})
    await apply(connection, batches, *reversed(events))
    assert await read_purchases(connection) == (repurchases, arms)


async def test_arm_is_compared_with_the_hold_out_of_its_test(connection, batches):
    """Of 4 visits of the hold-out 1 bought, of 5 of the campaign 3."""
    for arm, visits, buyers in ((None, 4, 1), ("spring-a", 5, 3)):
        for visit in range(visits):
            page, session = f"{arm}-{visit}", f"session-{arm}-{visit}"
            await apply(
                connection,
                batches,
                an_order_event(page, **a_sale(None, "1", shown=arm, test=TEST)),
                an_activity(page, session_id=session),
                *([an_order_event(f"{page}-2", **a_sale(None, "5", session=session))]
                  if visit < buyers else []),
            )  # fmt: skip

    report = await read_arms(connection, CampaignQuery("demo-shop"))

    difference = difference_interval(3, 5, 1, 4)
    named = {"shop": "demo-shop", "test_id": TEST}
    assert report.rows == (
        ArmFigures(**named, campaign_id=None, sessions=4, buyers=1),
        ArmFigures(**named, campaign_id="spring-a", sessions=5, buyers=3, difference=difference),
    )


async def test_campaign_report_has_click_rate_and_revenue_of_repurchases(connection, batches):
    await apply(
        connection,
        batches,
        *(an_activity(activity_id=f"a{n}") for n in range(3)),
        an_activity(activity_id="c", kind="click"),
        an_order_event("2", **a_sale("spring", "20.00", session="session-1")),
        an_order_event("3", **a_sale("spring", "9.00", session="session-2")),
    )

    (row,) = (await read_campaigns(connection, CampaignQuery())).rows

    assert (row.impressions, row.clicks, row.click_percent) == (3, 1, Decimal("33.33"))
    assert (row.orders, row.repurchases) == (2, 1)
    assert row.repurchase_revenue == {"EUR": Decimal("20.00")}


async def test_batch_of_1000_activities_takes_as_many_statements_as_of_one(connection, batches):
    async def statements(name, size):
        sent = [an_activity(f"{name}-{n}", activity_id=f"{name}-{n}") for n in range(size)]
        seen = []
        with connection.query_logger(lambda query: seen.append(query.query)):
            await apply(connection, batches, *sent)
        apart = ("BEGIN", "COMMIT", "-- find_service", "-- count_old_relays")
        return len([query for query in seen if not query.startswith(apart)])

    await statements("first", 1)  # The first use of a connection reads the encodings of types.

    assert await statements("small", 1) == await statements("large", 1000) <= 6


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (an_activity_record(b"not json"), "not_json"),
        (an_activity_record(an_activity(kind="hover")), "invalid_fields"),
        (an_activity_record(an_activity(), ce_type="order.place"), "unknown_type"),
        (an_activity_record(an_activity(), source="/shops/other"), "source_not_allowed"),
        (an_activity_record(an_activity(), source=None), "source_not_allowed"),
    ],
    ids=["not json", "wrong fact", "another type", "another source", "no source"],
)
async def test_refused_activity_is_rejected_and_the_others_count(
    connection, settings, record, reason
):
    allowed = settings.model_copy(update={"allowed_sources": '{"demo-shop": ["/shops/demo-shop"]}'})
    handler = EventBatches(allowed, Metrics(registry=None))
    records = (record, an_activity_record(an_activity(), offset=1), a_record(an_order_event()))

    async with connection.transaction():
        await handler.apply(connection, Batch(records, NOON))

    assert list((await counters(connection)).values()) == [(1, 0, 1)]
    ((topic, _, value),) = await waiting_records(connection)
    assert (topic, orjson.loads(value)["reason"]) == ("analytics.rejected", reason)
