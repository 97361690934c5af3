"""Campaigns of shops on a real database: commands in, events out; choices and credits of orders."""

from datetime import timedelta

import asyncpg
import pytest

from services.orders.domain.model.ids import order_id_of
from services.runtime.batch.batch import Batch
from services.runtime.retry import is_transient
from tests.integration.orders.campaigns.messages import (
    SHOP,
    a_campaign,
    a_command,
    a_discount,
    a_test,
    an_order,
    chosen,
    credit_of,
    order_of,
)
from tests.integration.orders.conftest import NOW, a_record, an_upsert


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
