"""What is sent stays right while destinations change, and when another process takes over."""

import asyncio

from services.deliveries.app import build
from services.deliveries.operations import destinations as operations
from services.runtime.clock import SystemClock
from services.runtime.operations.audit import Signature
from services.runtime.postgres.connections import connect
from tests.integration.deliveries.conftest import (
    Receiver,
    a_destination,
    an_event,
    asked,
    listening,
    until,
    until_row,
)
from tests.integration.deliveries.test_deliveries import FIND, UPSERT, WAITING, named

FRESH = "SELECT FROM deliveries.delivery HAVING count(*) = $1"
GROUPS = "SELECT * FROM deliveries.message_group"
MAKE_FRESH = """
    WITH first AS (
        DELETE FROM deliveries.backlog
         WHERE id = (SELECT min(id) FROM deliveries.backlog) RETURNING *
    )
    INSERT INTO deliveries.delivery (id, shard, destination, order_id, event_id, body_day,
                                     body_bytes)
    SELECT id, shard, destination, order_id, event_id, body_day, body_bytes FROM first
"""
HOLD = "UPDATE deliveries.message_group SET due_at = '9999-01-01T00:00Z'"
ACTIVE = "UPDATE deliveries.destination SET state = 'active'"


class Gate:
    """An answer that waits until it is let through."""

    def __init__(self, status=204) -> None:
        self.status = status
        self.opened = asyncio.Event()

    async def __call__(self, _request):
        """Wait, then answer."""
        await self.opened.wait()
        return self.status


def counted(service, name, *verdict):
    """The value of a counter of webhooks."""
    labels = {"service": "deliveries", **({"verdict": verdict[0]} if verdict else {})}
    read = service.metrics.registry.get_sample_value
    return read(f"orderflow_webhook_{name}", labels) or 0


async def kept(settings, command, publish, receiver, *events):
    """Make a paused destination, and wait until these events are kept for it."""
    await command(UPSERT, a_destination(receiver.url))
    await command("destination.pause", named())
    await publish(*events)
    await until_row(settings, WAITING, len(events))


async def test_first_event_that_was_left_fresh_is_sent_before_a_later_one_of_the_backlog(
    settings, command, publish, receiver
):
    service = build(settings)
    await service.start()
    await kept(settings, command, publish, receiver, an_event("1", 1), an_event("1", 2))
    await service.stop()
    await asked(settings, MAKE_FRESH)  # As a process leaves it that ends during the first request.
    await asked(settings, ACTIVE)

    again = build(settings)
    await again.start()
    await until(lambda: len(receiver.requests) == 2)
    await again.stop()

    assert receiver.sequences() == [1, 2]


async def test_paused_destination_gets_nothing_but_what_is_under_way(
    settings, running, command, publish, receiver
):
    receiver.answer = gate = Gate()
    await command(UPSERT, a_destination(receiver.url))
    await publish(*(an_event("1", n) for n in (1, 2, 3)))
    await until(lambda: receiver.requests)
    await until_row(settings, FRESH, 3)

    await command("destination.pause", named())
    gate.opened.set()

    await until_row(settings, WAITING, 2)
    assert receiver.sequences() == [1]
    await command("destination.resume", named())
    await until(lambda: receiver.sequences() == [1, 2, 3])


async def test_removed_destination_gets_nothing_but_what_is_under_way(
    settings, running, command, publish, receiver
):
    receiver.answer = gate = Gate()
    await command(UPSERT, a_destination(receiver.url))
    await publish(*(an_event("1", n) for n in (1, 2, 3)))
    await until(lambda: receiver.requests)

    delivered = ("attempts_total", "delivered")
    before = counted(running, *delivered), counted(running, "dropped_total")
    await command("destination.remove", named())
    gate.opened.set()

    await until_row(settings, FRESH, 0)
    await until_row(settings, WAITING, 0)
    assert receiver.sequences() == [1]
    assert receiver.requests[0].status == 204
    await until(lambda: counted(running, *delivered) == before[0] + 1)
    await until(lambda: counted(running, "dropped_total") == before[1] + 2)


async def test_destination_that_is_made_again_gets_nothing_of_the_former_one(
    settings, running, command, publish, receiver
):
    await kept(settings, command, publish, receiver, an_event("1", 1), an_event("1", 2))

    async with listening(Receiver()) as other:
        await command("destination.remove", named())
        await command(UPSERT, a_destination(other.url))
        await publish(an_event("1", 3))
        await until(lambda: other.requests)
        await until_row(settings, WAITING, 0)
        await until_row(settings, f"SELECT FROM ({GROUPS}) AS g HAVING count(*) = $1", 0)

        assert other.sequences() == [3]
    assert not receiver.requests


async def test_answer_410_of_a_former_url_leaves_the_destination(
    settings, running, command, publish, receiver
):
    receiver.answer = gate = Gate(410)
    await command(UPSERT, a_destination(receiver.url))
    await publish(an_event("1", 1))
    await until(lambda: receiver.requests)

    async with listening(Receiver()) as other:
        await command(UPSERT, a_destination(other.url))
        gate.opened.set()

        await until(lambda: other.sequences() == [1])
    (row,) = await asked(settings, FIND, "erp")
    assert row["state"] == "active"


async def test_new_url_is_tried_at_once(settings, running, command, publish, receiver):
    receiver.answer = lambda _request: 404
    await command(UPSERT, a_destination(receiver.url))
    await publish(an_event("1", 1))
    await until_row(settings, f"{GROUPS} WHERE attempts = 1")

    async with listening(Receiver()) as other:
        await command(UPSERT, a_destination(other.url))

        await until(lambda: other.sequences() == [1])


async def test_resume_sends_what_is_held_of_an_active_destination_and_is_audited(
    settings, running, command, publish, receiver
):
    receiver.answer = lambda _request: 404
    await command(UPSERT, a_destination(receiver.url))
    await publish(an_event("1", 1))
    await until_row(settings, f"{GROUPS} WHERE attempts = 1")
    await asked(settings, HOLD)
    receiver.answer = lambda _request: 204

    connection = await connect(settings, "deliveries")
    try:
        signature = Signature("an operator", "it is repaired")
        await operations.resume(
            connection, ("demo-shop", "erp"), signature, settings, SystemClock().now()
        )
    finally:
        await connection.close()

    await until(lambda: receiver.sequences() == [1, 1])
    await until_row(
        settings, "SELECT FROM deliveries.operator_act WHERE act = $1", "destinations.resume"
    )


async def test_order_with_a_skipped_event_is_not_due_until_its_next_event(
    settings, running, command, publish, receiver
):
    receiver.answer = lambda _request: 404
    await command(UPSERT, a_destination(receiver.url, when_exhausted="skip"))
    await publish(an_event("1", 1))
    await until_row(settings, f"{GROUPS} WHERE attempts = 1")
    await asked(settings, "UPDATE deliveries.message_group SET attempts = 10, due_at = now()")

    await until_row(settings, f"{GROUPS} WHERE skipped = 1 AND due_at IS NULL")

    receiver.answer = lambda _request: 204
    await publish(an_event("1", 2))
    await until(lambda: receiver.sequences() == [1, 1, 2])
    assert receiver.requests[-1].headers["orderflow-skipped"] == "1"
    await until_row(settings, f"SELECT FROM ({GROUPS}) AS g HAVING count(*) = $1", 0)


async def test_event_of_which_no_request_can_be_made_holds_up_no_other(
    settings, running, command, publish, receiver
):
    await kept(settings, command, publish, receiver, *(an_event(str(n)) for n in range(8)))
    await asked(
        settings,
        "UPDATE deliveries.event_body SET value = 'no JSON' WHERE event_id = $1",
        an_event("3")["event_id"],
    )
    await command(UPSERT, a_destination(receiver.url, body="thin"))

    await command("destination.resume", named())

    await until(lambda: len(receiver.requests) == 7)
    await until_row(settings, f"{GROUPS} WHERE attempts = 1")
    (health,) = await asked(settings, "SELECT failures FROM deliveries.destination_health")
    assert health["failures"] == 0
