"""Commands of campaigns and orders for tests, and what was stored of them."""

from services.orders.domain.model.ids import order_id_of
from services.orders.store import read_order
from tests.integration.orders.conftest import a_record, an_upsert

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
