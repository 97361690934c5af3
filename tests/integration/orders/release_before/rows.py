"""Rows that the release before stored, and what is sent to them.

`make_rows.py` wrote them with the code of that release. A number had one owner at a time in it, and
entries of owners had no time of hand-over and attachment.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.runtime.postgres.queries import load
from tests.integration.batches import a_record_at
from tests.integration.outgoing import waiting_records

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
FOLDER = Path(__file__).parent
BEFORE = load(FOLDER / "statements.sql")
LINES = [json.loads(line) for line in (FOLDER / "rows.jsonl").read_text("utf-8").splitlines()]
ROWS = [(line["table"], line["row"]) for line in LINES if "table" in line]
BATCHES = [(line["day"], line["messages"]) for line in LINES if "messages" in line]
NUMBERS = sorted(row["number"] for table, row in ROWS if table == "stored_parcel")
SHARED = ["REUSED2", "REUSED3", "TWO1"]
LATER = BEGIN + timedelta(days=62.5)
PUBLISHED = {id_ for line in LINES for id_ in line.get("published", ())}
MOVING, ARRIVED = "PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED"
INSERT = """
INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{0}, $1)"""
VERSIONS = """
SELECT order_id::text, ctid::text FROM stored_order
 UNION ALL SELECT number, ctid::text FROM stored_parcel
 UNION ALL SELECT 'waiting ' || id, ctid::text FROM waiting"""
AGAIN = BEGIN + timedelta(days=62.6)
LONG_AFTER = BEGIN + timedelta(days=400)
ATTACHED = ["ORDER_PLACED", "SHIPMENT_FULFILLED"]


def a_message(topic, type_, key, body, ce_id=None, at=LATER):
    return a_record_at(at, topic, type_, body, ce_id=ce_id, key=key.encode())


def id_of(record):
    return dict(record.headers)["ce_id"].decode()


def an_upsert(name, number=None, placed=LATER, carrier="ups"):
    shop, order = name.split("/")
    body = {"shop_slug": shop, "id": order}
    if number:
        tracking = {"tracking_number": number, "carrier_reference": carrier}
        body["trackings"] = [tracking | {"tracking_placed_at": placed.isoformat()}]
    body["order"] = {"order_number": order, "address": {"zip_code": "10"}}
    return a_message("orders.commands", "order.upsert", name, body)


def a_void(name, number):
    shop, order = name.split("/")
    body = {"shop_slug": shop, "id": order, "tracking_number": number, "force": True, "reason": "x"}
    return a_message("orders.commands", "shipment.void", name, body)


def a_report(number, event_name, at=LATER, carrier="ups"):
    body = {
        "carrier_reference": carrier,
        "tracking_number": number,
        "scans": [{"event_name": event_name, "occurred_at": at.isoformat()}],
    }
    return a_message("carrier.tracking", "tracking.reported", f"{carrier}/{number}", body)


def repeated(prefix=""):
    """All that was sent to the release before; with a prefix under other ids."""
    return [
        a_message(m["topic"], m["type"], m["key"], m["body"], prefix + m["id"], LATER)
        for _, messages in BATCHES
        for m in messages
    ]


async def events_in(connection):
    """The events that wait for publication, as texts `SHOP/ORDER EVENT`, in ascending order."""
    found = await waiting_records(connection)
    bodies = [json.loads(value) for topic, _, value in found if topic.endswith(".events")]
    return sorted(
        f"{body['shop_slug']}/{body['context']['order']['order_number']} {body['event_name']}"
        for body in bodies
    )


async def versions_in(connection):
    """The version of each row that a batch decides on: it changes with each write."""
    return dict(await connection.fetch(VERSIONS))


def changed(before, after):
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


def of_rows(keys):
    """Without items that wait: these are stored again when they come again."""
    return [key for key in keys if not key.startswith("waiting")]
