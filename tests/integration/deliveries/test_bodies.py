"""The bodies that destinations ask for, through Kafka and Postgres, as receivers get them."""

import json

from schemas.topics import ORDERS_EVENTS, SHIPMENTS_EVENTS
from tests.integration.deliveries.conftest import (
    Receiver,
    a_destination,
    an_event,
    asked,
    listening,
    until,
    until_row,
)
from tests.unit.deliveries.ucp import ORDER, PAGE, validator_of, values_of
from tests.unit.orders.builders import HOUR, NOON, Desk, attach, place, product, report, scan

UPSERT = "destination.upsert"
SHOP = "shop"
LOGS = "SELECT shop, entries FROM deliveries.fulfilment_log"


def a_life(number="1"):
    """The values of all events of an order, in the order in which they are decided."""
    parcel = f"N{number}"
    commands = [
        place(number, products=(product("MUG", 2),)),
        attach(parcel, to=number),
        report(scan("PICKED_UP_BY_CARRIER", NOON + HOUR, number=parcel), number=parcel),
        report(scan("SUCCESSFULLY_DELIVERED", NOON + 2 * HOUR, number=parcel), number=parcel),
    ]
    (values,) = values_of(Desk(now=NOON + 9 * HOUR), commands).values()
    return [json.loads(value) for value in values]


async def tell(send, *events):
    """Publish events of orders and shipments on their topics."""
    for each in events:
        is_order = each["source"] == "orders"
        await send(
            ORDERS_EVENTS if is_order else SHIPMENTS_EVENTS,
            "order.updated" if is_order else "shipment.scanned",
            each,
            ce_id=each["event_id"],
            key=each["order_id"],
        )


def ucp(url, name="agent", shop=SHOP, **changes):
    """The body of a command for a destination that gets orders of the protocol."""
    return a_destination(url, name, shop, body="ucp", order_url=PAGE, **changes)


def events_of(request):
    """The fulfilment events of a body."""
    return request.event["fulfillment"]["events"]


async def test_body_ucp_grows_with_each_event_and_is_as_the_schema_says(
    settings, running, command, send, receiver
):
    await command(UPSERT, ucp(receiver.url))
    events = a_life()

    for number, each in enumerate(events, 1):
        await tell(send, each)
        await until(lambda number=number: len(receiver.requests) == number)

    before = []
    for request, event in zip(receiver.requests, events, strict=True):
        assert request.headers["webhook-id"] == event["event_id"]
        validator_of(ORDER).validate(request.event)
        assert events_of(request)[: len(before)] == before
        before = events_of(request)
    assert [each["type"] for each in before] == ["processing", "shipped", "delivered"]


async def test_body_ucp_has_the_events_that_its_filters_leave_out(
    settings, running, command, send, receiver
):
    await command(UPSERT, ucp(receiver.url, filters=["shipments/delivered"]))

    for each in a_life():
        await tell(send, each)
        await until_row(
            settings,
            f"{LOGS} WHERE $1 <> 'shipments' OR strpos(convert_from(entries, 'UTF8'), $2) > 0",
            each["source"],
            each["event_id"],
        )

    await until(lambda: receiver.requests)
    (request,) = receiver.requests
    assert [each["type"] for each in events_of(request)] == ["processing", "shipped", "delivered"]


async def test_body_ucp_of_an_event_that_comes_twice_is_sent_once(
    settings, running, command, send, receiver
):
    await command(UPSERT, ucp(receiver.url))
    placed, *_, delivered = a_life()

    await tell(send, placed, delivered, delivered)
    await tell(send, *a_life("2"))

    await until(lambda: len(receiver.requests) == 2 + len(a_life("2")))
    first = [each for each in receiver.requests if each.event["label"] == "1"]
    assert len({each.headers["webhook-id"] for each in first}) == 2


async def test_body_ucp_of_a_repeat_is_that_of_the_first_attempt(
    settings, running, command, send, receiver
):
    receiver.answer = lambda _request: 503
    await command(UPSERT, ucp(receiver.url))
    events = a_life()
    await tell(send, *events)
    await until_row(settings, "SELECT FROM deliveries.message_group WHERE attempts > 0")
    await until_row(settings, "SELECT FROM deliveries.backlog HAVING count(*) = $1", len(events))
    receiver.answer = lambda _request: 204

    await command("destination.pause", {"shop_slug": SHOP, "destination_id": "agent"})
    await command("destination.resume", {"shop_slug": SHOP, "destination_id": "agent"})

    await until(lambda: len({r.headers["webhook-id"] for r in receiver.requests}) == len(events))
    first, *others = receiver.requests
    repeats = [each for each in others if each.headers["webhook-id"] == events[0]["event_id"]]
    assert {each.body for each in repeats} == {first.body}


async def test_fulfilment_logs_are_kept_for_shops_with_a_destination_ucp_alone(
    settings, running, command, publish, send, receiver
):
    async with listening(Receiver()) as other:
        await command(UPSERT, ucp(receiver.url))
        await command(UPSERT, a_destination(other.url, shop="other-shop"))

        await tell(send, *a_life())
        await publish(an_event(shop="other-shop"))

        await until(lambda: other.requests and len(receiver.requests) == len(a_life()))
    assert {row["shop"] for row in await asked(settings, LOGS)} == {SHOP}


async def test_fulfilment_log_is_dropped_after_90_days_without_an_event(
    settings, running, command, send, receiver
):
    await command(UPSERT, ucp(receiver.url))
    await tell(send, *a_life("1"), *a_life("2"))
    await until(lambda: len(receiver.requests) == 2 * len(a_life()))
    kept = a_life("2")[0]["order_id"]

    await asked(
        settings,
        "UPDATE deliveries.fulfilment_log SET changed_on = current_date - "
        "CASE WHEN order_id = $1 THEN 90 ELSE 91 END",
        kept,
    )

    await until_row(settings, "SELECT FROM deliveries.fulfilment_log HAVING count(*) = 1")
    (row,) = await asked(settings, "SELECT order_id FROM deliveries.fulfilment_log")
    assert str(row["order_id"]) == kept


async def test_thin_body_of_a_large_event_with_gzip_and_other_letters(
    settings, running, command, publish, receiver
):
    await command(UPSERT, a_destination(receiver.url, shop="demo-shop", body="thin", gzip=True))
    goods = [{"sku": f"TÄSSE-{n}", "quantity": 1, "image_urls": ["x" * 900]} for n in range(200)]

    await publish(an_event(event_data={"notify": True, "selected_items": goods}))

    await until(lambda: receiver.requests)
    (request,) = receiver.requests
    body = request.event
    assert request.headers["Content-Encoding"] == "gzip"
    assert len(request.body) < 20_000
    assert body["event_data_truncated"] is True
    assert body["event_data"]["selected_items"][7] == {"sku": "TÄSSE-7", "quantity": 1}


async def test_full_body_of_a_large_event_arrives_byte_for_byte(
    settings, running, command, send, receiver
):
    await command(UPSERT, a_destination(receiver.url, shop="demo-shop"))
    event = an_event(context={"order": {"note": "漢字📦ä" * 60_000}})
    value = json.dumps(event, ensure_ascii=False, indent=1).encode()

    await send(
        SHIPMENTS_EVENTS, "shipment.scanned", value, ce_id=event["event_id"], key=event["order_id"]
    )

    await until(lambda: receiver.requests)
    assert receiver.requests[0].body == value
