"""Events on Kafka reach the webhooks of their shop, in order for each order."""

import asyncio

from standardwebhooks import Webhook

from services.deliveries.app import build
from services.deliveries.names import SHARDS
from services.deliveries.secret_box import read_box
from tests.integration.deliveries.conftest import (
    SHOP,
    Receiver,
    a_destination,
    an_event,
    asked,
    listening,
    until,
    until_row,
)
from tests.unit.deliveries.receivers import plugin_accepts

UPSERT = "destination.upsert"
FIND = "SELECT * FROM deliveries.destination WHERE name = $1"
WAITING = "SELECT FROM deliveries.backlog HAVING count(*) = $1"


def named(name="erp", shop=SHOP, **changes):
    """The body of a command that names a destination."""
    return {"shop_slug": shop, "destination_id": name, **changes}


async def test_event_reaches_the_webhook_of_its_shop_with_both_signatures(
    settings, running, command, publish, receiver
):
    outcome = await command(UPSERT, a_destination(receiver.url))
    event = an_event()

    await publish(event)

    assert (outcome["outcome"], outcome["reason"]) == ("applied", None)
    await until(lambda: receiver.requests)
    (request,) = receiver.requests
    (row,) = await asked(settings, FIND, "erp")
    secret = read_box(settings.deliveries_key).decrypt(row["secret"], SHOP, "erp")
    assert Webhook(secret).verify(request.body, request.headers) == event
    assert plugin_accepts(request.headers, request.body, secret)
    assert request.headers["webhook-id"] == event["event_id"]
    assert request.headers["orderflow-sequence"] == "1"
    assert request.headers["orderflow-attempt"] == "1"


async def test_events_of_another_shop_are_not_sent(settings, running, command, publish, receiver):
    await command(UPSERT, a_destination(receiver.url))

    await publish(an_event("1", shop="other-shop"), an_event("2"))

    await until(lambda: receiver.sequences("2"))
    assert {each.event["shop_slug"] for each in receiver.requests} == {SHOP}


async def test_events_of_an_order_arrive_in_order_while_one_fails(
    settings, running, command, publish, receiver
):
    failures = iter([503, 503])
    receiver.answer = lambda request: next(failures, 204) if request.event["sequence"] == 2 else 204
    await command(UPSERT, a_destination(receiver.url))

    await publish(*(an_event("1", n) for n in range(1, 5)), *(an_event("2", n) for n in (1, 2)))

    await until(lambda: receiver.sequences("1")[-1:] == [2])
    await until_row(settings, "SELECT FROM deliveries.message_group WHERE attempts > 0")
    await asked(settings, "UPDATE deliveries.message_group SET due_at = now()")
    await until(lambda: 4 in receiver.sequences("1"), seconds=60)
    first = list(dict.fromkeys(receiver.sequences("1")))
    assert first == [1, 2, 3, 4]
    assert list(dict.fromkeys(receiver.sequences("2"))) == [1, 2]


async def test_destination_that_is_dead_holds_up_no_other(
    settings, running, command, publish, receiver
):
    release = asyncio.Event()

    async def black_hole(_request):
        await release.wait()
        return 204

    async with listening(Receiver(black_hole)) as dead:
        await command(UPSERT, a_destination(dead.url, "dead"))
        await command(UPSERT, a_destination(receiver.url))

        await publish(*(an_event(str(n)) for n in range(60)))

        await until(lambda: len(receiver.requests) == 60)
        release.set()


async def test_paused_destination_gets_what_was_kept_when_it_is_resumed(
    settings, running, command, publish, receiver
):
    await command(UPSERT, a_destination(receiver.url))
    await command("destination.pause", named())
    await publish(*(an_event("1", n) for n in (1, 2, 3)))
    await until_row(settings, WAITING, 3)
    assert not receiver.requests

    outcome = await command("destination.resume", named())

    assert outcome["outcome"] == "applied"
    await until(lambda: receiver.sequences() == [1, 2, 3])
    await until_row(settings, WAITING, 0)


async def test_receiver_that_answers_410_is_removed_and_what_waits_is_dropped(
    settings, running, command, publish, receiver
):
    receiver.answer = lambda _request: 410
    await command(UPSERT, a_destination(receiver.url))

    await publish(*(an_event("1", n) for n in (1, 2)))

    await until_row(settings, f"{FIND} AND state = 'removed'", "erp")
    await until_row(settings, WAITING, 0)
    assert receiver.sequences() == [1]


async def test_secret_that_is_rotated_signs_beside_the_former_one(
    settings, running, command, publish, receiver
):
    await command(UPSERT, a_destination(receiver.url))
    box = read_box(settings.deliveries_key)
    (before,) = await asked(settings, FIND, "erp")
    await command("destination.rotate_secret", named())
    (after,) = await asked(settings, FIND, "erp")

    await publish(an_event())

    await until(lambda: receiver.requests)
    (request,) = receiver.requests
    secrets = [box.decrypt(row["secret"], SHOP, "erp") for row in (before, after)]
    assert secrets[0] != secrets[1]
    assert all(Webhook(each).verify(request.body, request.headers) for each in secrets)


async def test_thin_body_has_no_context(settings, running, command, publish, receiver):
    await command(UPSERT, a_destination(receiver.url, body="thin"))

    await publish(an_event())

    await until(lambda: receiver.requests)
    assert "context" not in receiver.requests[0].event
    assert receiver.requests[0].event["event_data"] == {"notify": True}


async def test_service_that_ends_sends_the_rest_when_it_runs_again(
    settings, command, publish, receiver
):
    service = build(settings)
    await service.start()
    await command(UPSERT, a_destination(receiver.url))
    release = asyncio.Event()

    async def late(_request):
        await release.wait()
        return 204

    receiver.answer = late
    await publish(*(an_event("1", n) for n in (1, 2, 3)))
    await until(lambda: receiver.requests)

    await service.stop()

    release.set()
    receiver.answer = lambda _request: 204
    again = build(settings)
    await again.start()
    await until(lambda: receiver.sequences()[-1] == 3)
    await again.stop()
    assert list(dict.fromkeys(receiver.sequences())) == [1, 2, 3]
    assert len({each.headers["webhook-id"] for each in receiver.requests}) == 3


async def test_two_processes_share_the_shards_and_send_each_event(
    settings, running, command, publish, receiver
):
    other = build(settings)
    await other.start()
    for n in range(12):
        await command(UPSERT, a_destination(receiver.url, f"d{n}"))

    await publish(*(an_event("1", n) for n in (1, 2, 3)))

    await until(lambda: len(receiver.requests) >= 36)
    await other.stop()
    assert len(receiver.requests) == 36


async def test_process_says_how_many_shards_it_sends_for(settings, running):
    held = running.metrics.webhook_shards.labels("deliveries")._value.get

    await until(lambda: held() == SHARDS)
    await running.stop()

    assert held() == 0
