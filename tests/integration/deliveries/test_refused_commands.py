"""Commands of destinations that cannot be right end on `deliveries.rejected` with a reason."""

import asyncio
import json

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import DELIVERIES_COMMANDS, DELIVERIES_REJECTED
from services.deliveries.app import build
from services.deliveries.domain.decide import DESTINATIONS_MAX
from tests.integration.deliveries.conftest import DEADLINE_SECONDS, asked, until_row
from tests.integration.deliveries.test_url_checks import names  # noqa: F401 - a fixture

FULL_SHOP = "full-shop"
FILL = """
    INSERT INTO deliveries.destination (shop, name, target, state, secret, matched_since,
                             created_at, updated_at)
    SELECT $1, 'd' || n, '{"kind": "webhook", "url": "https://x.example/"}', 'active', '',
           now(), now(), now()
      FROM generate_series(1, $2::integer) AS n
"""
COUNTS = "SELECT shop, count(*) FROM deliveries.destination GROUP BY shop ORDER BY shop"
GOOD = "https://good.example/hook"
UPSERT = "destination.upsert"
LONG = "https://good.example/" + "a" * (2_049 - len("https://good.example/"))
REFUSED = {
    "unknown filter": (UPSERT, {"url": GOOD, "filters": ["parcels"]}, "unknown_filter"),
    "filter of no form": (UPSERT, {"url": GOOD, "filters": ["shipments/*"]}, "invalid_fields"),
    "no host": (UPSERT, {"url": "https:///hook"}, "url_not_allowed"),
    "not https": (UPSERT, {"url": "http://good.example/"}, "url_not_allowed"),
    "a port": (UPSERT, {"url": "https://good.example:5432/"}, "url_not_allowed"),
    "odd address": (UPSERT, {"url": "https://0x7f000001/"}, "url_not_allowed"),
    "too long": (UPSERT, {"url": LONG}, "invalid_fields"),
    "private address": (UPSERT, {"url": "https://10.0.0.1/"}, "address_not_allowed"),
    "mapped address": (UPSERT, {"url": "https://[::ffff:127.0.0.1]/"}, "address_not_allowed"),
    "private name": (UPSERT, {"url": "https://inner.example/"}, "address_not_allowed"),
    "no such name": (UPSERT, {"url": "https://missing.example/"}, "name_not_resolved"),
    "password": (UPSERT, {"url": "https://shop:hunter@good.example/"}, "url_has_secret"),
    "token": (UPSERT, {"url": f"{GOOD}?access_token=hunter"}, "url_has_secret"),
    "one too many": (UPSERT, {"url": GOOD, "shop_slug": FULL_SHOP}, "too_many_destinations"),
    "not there": ("destination.pause", {"destination_id": "none"}, "destination_not_found"),
    "no name": (UPSERT, {"url": GOOD, "destination_id": "A B"}, "invalid_fields"),
    "unknown type": ("destination.explode", {}, "unknown_type"),
}


async def rejections(settings, wanted):
    """The records of `deliveries.rejected` by the id of their command."""
    found = {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_auto_commit=False
    )
    await consumer.start()
    try:
        topic = settings.topic(DELIVERIES_REJECTED)
        places = [TopicPartition(topic, each) for each in range(6)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not wanted <= found.keys():
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    bodies = [json.loads(record.value) for record in records]
                    found |= {body["ce_id"]: body for body in bodies}
    finally:
        await consumer.stop()
    return found


async def test_command_that_cannot_be_right_is_rejected_with_its_reason(
    names,  # noqa: F811
    settings,
    send,
):
    strict = settings.model_copy(
        update={
            "deliveries_nameservers": names.server,
            "deliveries_allow_http": False,
            "deliveries_ports": "443,8443",
            "deliveries_networks": None,
        }
    )
    await asked(settings, FILL, FULL_SHOP, DESTINATIONS_MAX)
    service = build(strict)
    await service.start()
    for id_, (type_, said, _) in REFUSED.items():
        body = {"shop_slug": "demo-shop", "destination_id": "erp", **said}
        await send(DELIVERIES_COMMANDS, type_, body, ce_id=id_, key=body["shop_slug"])
    good = {"shop_slug": "demo-shop", "destination_id": "good", "url": GOOD}
    await send(DELIVERIES_COMMANDS, UPSERT, good, ce_id="good", key="demo-shop")

    found = await rejections(settings, REFUSED.keys())
    await until_row(settings, "SELECT FROM deliveries.destination WHERE name = 'good'")
    made = await asked(settings, COUNTS)
    await service.stop()

    assert {id_: body["reason"] for id_, body in found.items()} == {
        id_: reason for id_, (_, _, reason) in REFUSED.items()
    }
    assert [tuple(row) for row in made] == [("demo-shop", 1), (FULL_SHOP, DESTINATIONS_MAX)]
    assert all(body["detail"] for body in found.values())
    assert not any("hunter" in body["detail"] for body in found.values())
