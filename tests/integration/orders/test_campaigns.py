"""Campaigns of shops on a real database: commands in, events out; choices and credits of orders."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.orders import campaign_reviews
from services.orders.campaign_reviews import CampaignReviews
from services.orders.domain.decide import decide
from services.orders.domain.model.ids import order_id_of
from services.orders.handler import OrdersBatch
from services.orders.store import read_order
from services.runtime.batch.batch import Batch
from services.runtime.observability.metrics import Metrics
from services.runtime.retry import is_transient
from tests.integration.batches import applied_by, patiently
from tests.integration.orders.conftest import NOW, a_record, an_upsert

SHOP = "demo-shop"
SINCE = "2026-02-01T00:00:00Z"
PLACED = "2026-02-20T10:00:00Z"


def a_command(type_, ce_id=None, *, shop=SHOP, **said):
    """A command of campaigns; they have the shop as their key."""
    body = {"shop_slug": shop, "effective_at": SINCE, **said}
    return a_record(type_, body, ce_id=ce_id, key=shop.encode())


def a_campaign(campaign, ce_id=None, **said):
    """A `campaign.upsert` of an enabled campaign for the segment `vip`."""
    known = {
        "name": campaign.title(),
        "segment": "vip",
        "enabled": True,
        "promotion_type": "basic",
        "promotion_properties": {"title": f"All of {campaign}"},
    }
    return a_command("campaign.upsert", ce_id, campaign_id=campaign, **{**known, **said})


def a_discount(discount, code, **said):
    known = {"code": code, "type": "order", "value_type": "percentage", "value": "10"}
    return a_command("discount.upsert", discount_id=discount, **{**known, **said})


def a_test(test, shares, **said):
    campaigns = [{"campaign_id": each, "allocation": share} for each, share in shares.items()]
    known = {"name": test.title(), "segment": "vip", "campaigns": campaigns}
    return a_command("ab_test.upsert", test_id=test, **{**known, **said})


def an_order(number, *, segments=("vip",), **said):
    return an_upsert(number, segments=list(segments), order_placed_at=PLACED, **said)


@pytest.fixture
def reviews(settings):
    """What reviews orders beside the batches."""
    return CampaignReviews(settings, Metrics())


@pytest.fixture
def review(pool, reviews):
    """Reviews until nothing is left; returns how many transactions that took."""

    async def run(now=NOW):
        pages = 0
        async with asyncio.timeout(20):
            while True:
                async with pool.acquire() as connection, connection.transaction():
                    if not await reviews.review(connection, now):
                        return pages
                pages += 1

    return run


@pytest.fixture
def advance(pool, reviews):
    """Publishes what begins or ends until a time."""

    async def run(now):
        async with pool.acquire() as connection, connection.transaction():
            return await reviews.advance(connection, now)

    return run


@pytest.fixture
def happened(published):
    """Types of the events on a topic, in order."""

    async def read(topic):
        return [headers["ce_type"].decode() for _, headers, _ in await published(topic)]

    return read


@pytest.fixture
def outcomes(published):
    """Outcome, reason and campaign of each command, in order."""

    async def read():
        return [
            (body["outcome"], body["reason"], body.get("campaign_id"))
            for _, _, body in await published("orders.outcomes")
        ]

    return read


async def test_campaign_command_becomes_event_and_outcome(apply, published, outcomes):
    await apply(a_campaign("spring", "c1", priority=7))

    ((_, headers, body),) = await published("campaigns.events")
    assert headers["ce_type"] == b"campaign.updated"
    assert headers["ce_sequence"] == b"1"
    assert headers["ce_causationid"] == b"c1"
    assert (body["shop_slug"], body["campaign_id"], body["state"]) == (SHOP, "spring", "active")
    assert body["campaign"]["priority"] == 7
    assert body["campaign"]["promotion_properties"] == {"title": "All of spring"}
    assert await outcomes() == [("applied", None, "spring")]


async def order_of(published, number):
    """The order with this number as its newest event shows it."""
    shown = [
        body["context"]["order"]
        for topic, _, body in await published()
        if topic in {"orders.events", "shipments.events"}
        and body["context"]["order"]["order_number"] == number
    ]
    return shown[-1]


async def chosen(pool, number):
    """Stage, rule and campaign of the stored order."""
    async with pool.acquire() as connection:
        order = await read_order(connection, order_id_of(SHOP, number))
    choice = order.campaign
    return choice and (choice.stage, choice.rule, choice.campaign_id)


async def credit_of(pool, number):
    """Campaign, method and revenue that are credited with the stored order."""
    async with pool.acquire() as connection:
        order = await read_order(connection, order_id_of(SHOP, number))
    credit = order.attribution and order.attribution.credit
    return credit and (credit.campaign_id, credit.method, str(credit.revenue))


async def test_commands_that_come_again_without_a_start_make_no_event_and_no_review(
    apply, pool, happened, outcomes, review
):
    made = (
        lambda **at: a_campaign("spring", **at),
        lambda **at: a_discount("ten", "TEN", **at),
        lambda **at: a_test("split", {"a": 50, "b": 50}, segment="other", **at),
    )
    await apply(*(make() for make in made))
    await review()
    before = await happened("campaigns.events")

    for hour in range(1, 4):
        at = f"2026-02-01T0{hour}:00:00Z"
        await apply(*(make(effective_at=at) for make in made))

    assert await happened("campaigns.events") == before
    assert [each[:2] for each in await outcomes()][3:] == [("no_change", "no_difference")] * 9
    assert await pool.fetchval("SELECT count(*) FROM orders.campaign_review") == 0


async def test_order_shows_the_campaign_of_its_segment(apply, pool, happened, published):
    await apply(a_campaign("spring"))
    await apply(an_order("1"), an_order("2", segments=["other"]))

    assert await chosen(pool, "1") == ("placement", "only_match", "spring")
    assert await chosen(pool, "2") == ("placement", "no_match", None)
    assert sorted(await happened("orders.events")) == [
        "order.campaign_selected",
        "order.placed",
        "order.placed",
    ]
    assert (await order_of(published, "1"))["campaign"]["campaign_id"] == "spring"


async def test_choice_is_made_again_at_fulfilment_by_the_times_of_the_order(apply, pool):
    await apply(
        a_campaign("winter", end_date="2026-02-25T00:00:00Z"),
        a_campaign("spring", start_date="2026-02-25T00:00:00Z"),
    )
    await apply(an_order("1"))
    assert await chosen(pool, "1") == ("placement", "only_match", "winter")

    parcel = {"tracking_number": "1Z1", "tracking_placed_at": "2026-02-26T08:00:00Z"}
    body = {"shop_slug": SHOP, "id": "1", "trackings": [parcel]}
    await apply(a_record("order.upsert", body))

    assert await chosen(pool, "1") == ("fulfilment", "only_match", "spring")


async def test_campaign_that_comes_after_its_orders_is_chosen_in_a_review(
    apply, pool, review, happened
):
    """The first command of a shop reviews all stored orders, a later one those since its time."""
    await apply(an_order("1"))
    await apply(a_campaign("spring", priority=1))
    assert await chosen(pool, "1") is None

    assert await review() == 2  # One page, and its end.
    assert await chosen(pool, "1") == ("placement", "only_match", "spring")

    await apply(a_campaign("loud", segment="other"))
    await apply(an_order("2", segments=["vip", "other"]))
    await review()
    before = await happened("orders.events")
    await apply(a_campaign("loud", segment="other", priority=5))
    await review()

    assert await chosen(pool, "1") == ("placement", "only_match", "spring")
    assert await chosen(pool, "2") == ("placement", "priority", "loud")
    assert (await happened("orders.events"))[len(before) :] == ["order.campaign_selected"]


async def test_review_looks_only_at_orders_since_the_change(apply, pool, review):
    await apply(a_campaign("spring"))
    await review()
    await apply(an_order("1"))
    late = an_upsert("2", segments=["vip"], order_placed_at="2026-02-27T10:00:00Z")
    await apply(late)
    await apply(a_campaign("spring", priority=3, effective_at="2026-02-25T00:00:00Z"))
    rows = await pool.fetch("SELECT since, after_id FROM campaign_review")

    await review()

    assert [row["since"] for row in rows] == [datetime(2026, 2, 25, tzinfo=UTC)]
    assert await pool.fetchval("SELECT count(*) FROM campaign_review") == 0
    assert await chosen(pool, "2") == ("placement", "only_match", "spring")


async def test_paused_and_removed_campaigns_are_not_chosen(apply, pool, outcomes, published):
    await apply(a_campaign("spring"), a_campaign("fallback", segment=None))
    pause = {"campaign_id": "spring", "reason": "sold out", "effective_at": "2026-02-10T00:00:00Z"}
    await apply(a_command("campaign.pause", **pause))
    await apply(an_order("1"))
    assert await chosen(pool, "1") == ("placement", "default", "fallback")

    await apply(a_command("campaign.remove", campaign_id="fallback"))
    await apply(an_order("2"))
    assert await chosen(pool, "2") == ("placement", "no_match", None)

    events = await published("campaigns.events")
    assert [body["event_name"] for *_, body in events] == [
        "updated",
        "updated",
        "paused",
        "removed",
    ]
    assert [body["sequence"] for *_, body in events] == [1, 2, 3, 4]
    assert events[2][2]["reason"] == "sold out"


async def test_test_divides_orders_and_holds_some_out(apply, pool, published):
    await apply(
        a_campaign("a", enabled=False),
        a_campaign("b", enabled=False),
        a_test("ab", {"a": 40, "b": 40}, has_holdout=True, holdout_percentage=20),
    )
    await apply(*(an_order(str(n)) for n in range(60)))

    found = {(await chosen(pool, str(n)))[1:] for n in range(60)}
    assert found == {("ab_test", "a"), ("ab_test", "b"), ("hold_out", None)}


async def test_discount_that_is_learnt_after_the_order_credits_it(apply, pool, review, happened):
    await apply(a_campaign("spring", discount_id="d"))
    await apply(
        an_order("1", total_order_price="29.90", discounts=[{"code": "SAVE", "amount": "3"}])
    )
    assert await credit_of(pool, "1") is None

    await apply(a_discount("d", "save"))
    await review()

    assert await credit_of(pool, "1") == ("spring", "discount", "29.90")
    assert (await happened("orders.events"))[-1] == "order.attributed"
    await apply(a_record("order.cancel", {"shop_slug": SHOP, "id": "1"}))
    assert await credit_of(pool, "1") is None
    assert (await happened("orders.events"))[-1] == "order.unattributed"


async def test_landing_address_of_an_order_is_read_for_its_keys_only(apply, pool):
    await apply(a_campaign("spring"))
    address = "https://shop.example/mug?of_campaign=spring&of_session=s-1&email=ada%40example.org"
    await apply(an_order("1", total_order_price="5", referral={"landing_url": address}))

    assert await credit_of(pool, "1") == ("spring", "referral", "5")
    row = await pool.fetchval("SELECT convert_from(document, 'UTF8') FROM stored_order")
    assert "ada" not in row
    assert "s-1" in row


async def test_landing_address_with_many_keys_is_read(apply, pool):
    keys = "&".join(f"k{n}=1" for n in range(200))
    await apply(a_campaign("spring"))
    address = f"https://shop.example/mug?{keys}&of_campaign=spring"
    await apply(an_order("1", total_order_price="5", referral={"landing_url": address}))

    assert await credit_of(pool, "1") == ("spring", "referral", "5")


async def test_campaign_begins_and_ends_by_time(apply, advance, published, pool):
    times = {"start_date": "2026-03-02T00:00:00Z", "end_date": "2026-03-03T00:00:00Z"}
    await apply(a_campaign("spring", **times))
    assert await advance(NOW) == 0

    assert await advance(NOW + timedelta(days=1)) == 1
    assert await advance(NOW + timedelta(days=1)) == 0
    assert await advance(NOW + timedelta(days=2)) == 1

    events = [
        (body["event_name"], body["previous_state"], body["state"])
        for *_, body in await published("campaigns.events")
    ]
    assert events == [
        ("updated", None, "scheduled"),
        ("activated", "scheduled", "active"),
        ("ended", "active", "inactive"),
    ]
    assert await pool.fetchval("SELECT next_change_at FROM campaign_entry") is None


async def test_repeat_of_a_campaign_command_changes_nothing(apply, outcomes, published):
    for _ in range(2):
        await apply(a_campaign("spring", "c1"))
    await apply(a_campaign("spring", "c2"))

    assert await outcomes() == [
        ("applied", None, "spring"),
        ("no_change", "duplicate", "spring"),
        ("no_change", "no_difference", "spring"),
    ]
    assert len(await published("campaigns.events")) == 1


async def test_repeat_of_the_oldest_of_many_commands_is_recognised(apply, outcomes, pool):
    """Of an entry 100 versions are kept; items of those before are recalled from `older_item`."""
    moments = [f"2026-02-01T00:{n // 60:02}:{n % 60:02}Z" for n in range(103)]
    await apply(
        *(
            a_campaign("spring", f"c{n}", priority=n, effective_at=moment)
            for n, moment in enumerate(moments)
        )
    )
    await apply(a_campaign("spring", "c0", priority=0, effective_at=moments[0]))

    assert (await outcomes())[-1] == ("no_change", "duplicate", "spring")
    assert await pool.fetchval("SELECT count(*) FROM older_item") == 3


REJECTED = {
    "campaign_overlaps": a_campaign("summer", segment="solo"),
    "campaign_not_found": a_command("campaign.pause", campaign_id="unknown"),
    "ends_before_start": a_campaign(
        "summer", segment="s", start_date="2026-03-02T00:00:00Z", end_date="2026-03-01T00:00:00Z"
    ),
    "allocations_do_not_sum": a_test("ab", {"spring": 40}),
    "ab_test_running": a_test("running", {"spring": 50, "b": 50}),
    "discount_on_nothing": a_discount("d2", "CODE", value="0"),
    "discount_code_fixed": a_discount("d", "OTHER"),
    "invalid_fields": a_campaign("summer", promotion_type="pop-up"),
}


@pytest.mark.parametrize("reason", REJECTED)
async def test_command_of_campaigns_is_rejected_with_its_reason(
    apply, published, outcomes, pool, reason
):
    await apply(a_campaign("spring"), a_campaign("solo", segment="solo"))
    await apply(a_discount("d", "CODE"), a_test("running", {"spring": 100}))
    before = await pool.fetch("SELECT * FROM campaign_entry ORDER BY kind, entry_id")

    await apply(REJECTED[reason], an_order("1"))

    assert [each[1] for each in await outcomes() if each[0] == "rejected"] == [reason]
    ((_, _, refusal),) = await published("orders.rejected")
    assert refusal["reason"] == reason
    assert refusal["errors"][0]["message"]
    assert await pool.fetch("SELECT * FROM campaign_entry ORDER BY kind, entry_id") == before
    assert (await chosen(pool, "1"))[2] == "spring"


async def test_segments_without_end_are_cut_and_the_order_is_taken(apply, pool, published):
    await apply(a_campaign("spring", segment="s1"))
    await apply(an_order("1", segments=[f"s{n}" for n in range(10_000)]))

    (outcome,) = [
        body for _, _, body in await published("orders.outcomes") if body["order_number"] == "1"
    ]
    assert outcome["outcome"] == "applied"
    assert "list_cut" in {each["code"] for each in outcome["warnings"]}
    assert (await chosen(pool, "1"))[2] == "spring"


async def test_failing_command_of_campaigns_is_parked_and_orders_go_on(
    apply, pool, bug, parked_kinds, outcomes
):
    await apply(a_campaign("a", name="POISON@mail.example"), an_order("1"))
    await apply(a_campaign("b", segment="s"), a_campaign("c", shop="other"), an_order("2"))

    assert await parked_kinds() == ["decision", "behind"]
    assert await chosen(pool, "2") is None
    assert {row["name"] for row in await pool.fetch("SELECT name FROM parked_name")} == {
        f"campaigns/{SHOP}"
    }


async def test_version_before_may_not_write_orders_of_a_shop_with_campaigns(apply, pool):
    """It would drop the choice from the order; other shops' orders it writes."""
    await apply(a_campaign("spring"), an_order("1"), an_upsert("1", shop="other"))

    async def write_as_before(shop):
        nothing = [[], [], [], []]
        order = [[False], [order_id_of(shop, "1")], [shop], ["1"], [9], [b"{}"], [b""]]
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(AS_BEFORE, *nothing, *order, *nothing, [])

    await write_as_before("other")
    with pytest.raises(asyncpg.ObjectInUseError) as refused:
        await write_as_before(SHOP)
    assert is_transient(refused.value)


AS_BEFORE = """
SELECT * FROM save_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"""


async def test_review_finds_orders_that_were_decided_beside_the_change(
    apply, orders, pool, settings, review, until_it_waits_for_a_lock
):
    """A change waits for batches that were decided by the book before it."""
    await apply(a_campaign("spring"))
    await review()
    other = OrdersBatch(settings, Metrics())
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await orders.apply(connection, Batch((an_order("1"),), NOW))
        change = asyncio.create_task(
            applied_by(other, pool, NOW)(a_campaign("spring", segment="other", source_version=1))
        )
        await until_it_waits_for_a_lock()
        assert not change.done()
        await transaction.commit()
    await change
    assert await chosen(pool, "1") == ("placement", "only_match", "spring")

    await review()

    assert await chosen(pool, "1") == ("placement", "no_match", None)


async def test_reviews_and_batches_of_two_processes_end_in_one_choice(
    apply, pool, settings, review
):
    """Orders and changes of campaigns at the same time, in two processes with reviews beside."""
    first, second = (applied_by(OrdersBatch(settings, Metrics()), pool, NOW) for _ in range(2))

    async def place(apply_one, numbers):
        for number in numbers:
            await patiently(apply_one, an_order(f"{number}"))

    async def change():
        for priority in range(8):
            await patiently(second, a_campaign("spring", priority=priority))
            loud = a_campaign("loud", segment=None, priority=priority)
            await patiently(second, loud)

    async def look():
        for _ in range(5):
            await review()

    await asyncio.gather(place(first, range(20)), change(), place(second, range(20, 40)), look())
    await review()

    versions = set()
    async with pool.acquire() as connection:
        for number in range(40):
            order = await read_order(connection, order_id_of(SHOP, f"{number}"))
            versions.add((order.campaign.campaign_id, order.campaign.campaign_version))
    assert len(versions) == 1


async def test_interrupted_review_goes_on_where_it_was(apply, pool, reviews, review, monkeypatch):
    monkeypatch.setattr(campaign_reviews, "PAGE_ORDERS", 3)
    await apply(*(an_order(str(n)) for n in range(8)))
    await apply(a_campaign("spring"))

    async with pool.acquire() as connection:
        async with connection.transaction():
            assert await reviews.review(connection, NOW) == 1
        lost = connection.transaction()
        await lost.start()
        await reviews.review(connection, NOW)
        await lost.rollback()  # As a process that dies.

    assert await review() == 3
    assert {await chosen(pool, str(n)) for n in range(8)} == {("placement", "only_match", "spring")}
    assert await pool.fetchval("SELECT count(*) FROM campaign_order") == 8


async def test_reviews_of_shops_take_turns(apply, pool, reviews, monkeypatch):
    monkeypatch.setattr(campaign_reviews, "PAGE_ORDERS", 2)
    await apply(*(an_order(str(n)) for n in range(6)))
    await apply(a_campaign("spring"))
    await apply(an_order("a", shop="other"), a_campaign("winter", shop="other"))

    async with pool.acquire() as connection:
        await reviews.take_turn(connection, NOW)
        await reviews.take_turn(connection, NOW)

    chosen_by = await pool.fetch("SELECT shop, count(*) FROM campaign_order GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in chosen_by] == [("demo-shop", 2), ("other", 1)]


async def test_review_that_fails_does_not_hold_those_of_other_shops(apply, pool, reviews):
    await apply(an_order("1"))
    await apply(a_campaign("spring"))
    await apply(an_order("a", shop="other"), a_campaign("winter", shop="other"))
    await pool.execute("UPDATE campaign_review SET turn_at = turn_at - interval '1 h' WHERE id = 1")

    async with pool.acquire() as blocking, pool.acquire() as connection:
        await connection.execute("SET lock_timeout = '100ms'")
        async with blocking.transaction():
            await blocking.execute("SELECT FROM stored_order WHERE shop = $1 FOR UPDATE", SHOP)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await reviews.take_turn(connection, NOW)
            await reviews.take_turn(connection, NOW)

    assert await pool.fetch("SELECT shop FROM campaign_order") == [("other",)]


async def test_order_that_cannot_be_reviewed_is_left_and_counted(
    apply, pool, reviews, review, monkeypatch
):
    await apply(an_order("1"), an_order("2"))
    await apply(a_campaign("spring"))
    failing = order_id_of(SHOP, "1")

    def decide_or_fail(world, command, now):
        if command.order_id == failing:
            raise ZeroDivisionError
        return decide(world, command, now)

    monkeypatch.setattr(campaign_reviews, "decide", decide_or_fail)
    await review()

    assert await chosen(pool, "1") is None
    assert await chosen(pool, "2") == ("placement", "only_match", "spring")
    failures = reviews.metrics.campaign_review_failures_total.labels("orders")
    assert failures._value.get() == 1


async def test_batch_sends_as_many_statements_for_many_shops_and_campaigns(pool, orders):
    async def count(records):
        sent = []
        async with pool.acquire() as connection:
            with connection.query_logger(lambda query: sent.append(query.query.split("\n")[0])):
                async with connection.transaction():
                    await orders.apply(connection, Batch(tuple(records), NOW))
        looks = ("-- find_service", "-- count_old_relays")
        return [each for each in sent if each.startswith("-- ") and each not in looks]

    def a_batch(shops, campaigns):
        for slug in (f"s{campaigns}-{n}" for n in range(shops)):
            for n in range(campaigns):
                yield a_campaign(f"c{n}", shop=slug, segment=f"seg{n}")
            yield an_upsert("1", shop=slug, discounts=[{"code": "X", "amount": 1}])

    one = await count(a_batch(1, 1))
    many = await count(a_batch(20, 10))

    assert len(many) == len(one)
    assert sum(each == "-- lock_books" for each in many) == 1


async def test_everything_read_again_after_a_loss_gives_the_same_events(
    apply, pool, review, published, database_url
):
    """Rows are lost, positions go back: the same ids, although batches are cut otherwise."""
    records = [
        a_discount("d", "SAVE"),
        a_campaign("spring", discount_id="d"),
        an_order("1", discounts=[{"code": "save", "amount": "1"}], total_order_price="9"),
        a_campaign("spring", discount_id="d", priority=4, effective_at="2026-02-10T00:00:00Z"),
        an_order("2", segments=["other"], referral={"campaign_id": "spring"}),
        a_command("campaign.pause", campaign_id="spring", effective_at="2026-02-19T00:00:00Z"),
    ]

    async def ids():
        return sorted(
            (topic, headers["ce_type"], headers["ce_id"])
            for topic, headers, _ in await published()
            if topic.endswith(".events")
        )

    async def empty():
        owner = await asyncpg.connect(database_url)
        tables = ", ".join(f"orders.{each}" for each in LOST)
        await owner.execute(f"TRUNCATE {tables}")
        await owner.close()

    for record in records:
        await apply(record)
        await review()
    first, choices = await ids(), [await chosen(pool, number) for number in "12"]
    await empty()
    for start in (0, 3, 5):
        await apply(*records[start : {0: 3, 3: 5, 5: 6}[start]])
        await review()

    assert await ids() == first
    assert [await chosen(pool, number) for number in "12"] == choices
    types = {each[1] for each in first}
    assert {b"order.attributed", b"order.campaign_selected", b"campaign.paused"} <= types


LOST = (
    "stored_order",
    "reference",
    "campaign_book",
    "campaign_entry",
    "campaign_order",
    "campaign_review",
    "outbox",
)
