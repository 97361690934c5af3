"""Changes of the contract, breaking and compatible, and what the gate must report of each."""

from __future__ import annotations

import json
from copy import deepcopy

from schemas.gate.breaks import Rule

READ, WRITE = "publishers of release 1", "subscribers of release 1"
KEPT = "readers who update"


def members(contract, type_, definition=None):
    schema = contract.schemas[type_]
    return (schema["$defs"][definition] if definition else schema)["properties"]


def required(contract, type_, definition=None):
    schema = contract.schemas[type_]
    return (schema["$defs"][definition] if definition else schema)["required"]


def placement(c):
    return members(c, "order.upsert", "OrderPlacement")


def product(c):
    return members(c, "order.upsert", "Product")


def rename(properties, old, new):
    properties[new] = properties.pop(old)


def sent(c, value, type_="shipment.scanned"):
    """Put a value into an example of what is published."""
    (example,) = [e for e in c.examples if e.type == type_][:1]
    example.value.update(value)


# What is done to the contract; the message, the place and the words that the gate must say.
BREAKING = {
    # --- what we read: commands and tracking
    "member removed": (
        lambda c: placement(c).pop("external_id"),
        "order.upsert", "/order/external_id", Rule.MEMBER_REMOVED, "is gone", READ),
    "member renamed": (
        lambda c: rename(placement(c), "order_name", "name"),
        "order.upsert", "/order/order_name", Rule.MEMBER_REMOVED, "renamed to `name`", READ),
    "member now needed": (
        lambda c: required(c, "order.upsert", "OrderPlacement").append("email_id"),
        "order.upsert", "/order/email_id", Rule.MEMBER_REQUIRED, "may no longer be left out", READ),
    "new member that is needed": (
        lambda c: (members(c, "order.cancel").update(by={"type": "string"}),
                   required(c, "order.cancel").append("by")),
        "order.cancel", "/by", Rule.MEMBER_REQUIRED, "is new and needed", READ),
    "text instead of a number": (
        lambda c: product(c)["quantity"].update(type="string"),
        "order.upsert", "/order/products/*/quantity", Rule.TYPE, "integer became string", READ),
    "one of two forms refused": (
        lambda c: placement(c)["total_order_price"]["anyOf"].pop(0),
        "order.upsert", "/order/total_order_price", Rule.TYPE, "number became", READ),
    "word of a list removed": (
        lambda c: c.schemas["claim.open"]["$defs"]["ClaimReason"]["enum"].remove("support"),
        "claim.open", "/reason", Rule.WORDS, "`support` removed", READ),
    "free text made a list": (
        lambda c: members(c, "order.cancel")["reason"]["anyOf"][0].update(enum=["fraud"]),
        "order.cancel", "/reason", Rule.WORDS, "only `fraud`", READ),
    "open word forgotten": (
        lambda c: c.schemas["order.upsert"]["$defs"]["ProductType"]["x-known-values"].pop(),
        "order.upsert", "/order/products/*/type", Rule.WORDS, "`bundle` became unknown", READ),
    "unknown words read otherwise": (
        lambda c: c.schemas["tracking.reported"]["$defs"]["Precision"].update(
            {"x-unknown-becomes": "day"}),
        "tracking.reported", "/scans/*/precision", Rule.FALLBACK, "'second' became 'day'", READ),
    "shorter text": (
        lambda c: members(c, "order.upsert", "DeliveryAddress")["zip_code"].update(maxLength=10),
        "order.upsert", "/order/address/zip_code", Rule.BOUND, "maxLength: 64 became 10", READ),
    "longer least text": (
        lambda c: members(c, "order.upsert", "DeliveryAddress")["zip_code"].update(minLength=4),
        "order.upsert", "/order/address/zip_code", Rule.BOUND, "minLength: 1 became 4", READ),
    "smaller number": (
        lambda c: product(c)["quantity"].update(maximum=1000),
        "order.upsert", "/order/products/*/quantity", Rule.BOUND, "maximum: 100000", READ),
    "fewer items": (
        lambda c: members(c, "orders.fulfill_bulk")["items"].update(maxItems=100),
        "orders.fulfill_bulk", "/items", Rule.BOUND, "maxItems: 1000 became 100", READ),
    "narrower pattern": (
        lambda c: members(c, "order.place")["shop_slug"].update(pattern="^[a-z]+$"),
        "order.place", "/shop_slug", Rule.PATTERN, "became '^[a-z]+$'", READ),
    "pattern where there was none": (
        lambda c: members(c, "tracking.reported", "Scan")["timezone"]["anyOf"][0].update(
            pattern="^Europe/|^Asia/"),
        "tracking.reported", "/scans/*/timezone", Rule.PATTERN, "became '^Europe/|^Asia/'", READ),
    "a day instead of a moment": (
        lambda c: members(c, "order.cancel")["cancelled_at"]["anyOf"][0].update(format="date"),
        "order.cancel", "/cancelled_at", Rule.FORMAT, "'date-time' became 'date'", READ),
    "unknown members refused": (
        lambda c: c.schemas["order.update"].update(additionalProperties=False),
        "order.update", "", Rule.MEMBERS_CLOSED, "not named are refused", READ),
    "members of one's own no longer kept": (
        lambda c: c.schemas["order.upsert"]["$defs"]["OrderAnalytics"].pop("additionalProperties"),
        "order.upsert", "/order_analytics", Rule.READING, "were kept, now ignored", READ),
    "another default": (
        lambda c: placement(c)["currency"].update(default="USD"),
        "order.upsert", "/order/currency", Rule.DEFAULT, "'EUR' became 'USD'", READ),
    "another unit": (
        lambda c: placement(c)["weight"].update(unit="kilograms"),
        "order.upsert", "/order/weight", Rule.UNIT, "'grams' became 'kilograms'", READ),
    "command removed": (
        lambda c: c.schemas.pop("order.update"),
        "order.update", "", Rule.MESSAGE_REMOVED, "the type is gone", READ),
    "a keyword the gate does not know": (
        lambda c: c.schemas["order.update"].update(propertyNames={"maxLength": 3}),
        "order.update", "", Rule.UNJUDGED, "`propertyNames`", READ),
    "command moved to another topic": (
        lambda c: c.surface["topics"]["claims.commands"]["types"].remove("claim.open"),
        "claim.open", "", Rule.TOPIC, "no longer on the topic claims.commands", READ),
    "topic renamed": (
        lambda c: rename(c.surface["topics"], "carrier.tracking", "carriers.tracking"),
        "carrier.tracking", "", Rule.TOPIC, "is gone", READ),
    "another key": (
        lambda c: c.surface["topics"]["orders.commands"].update(key="{shop}"),
        "orders.commands", "", Rule.TOPIC, "became '{shop}'", READ),
    "smaller messages": (
        lambda c: c.surface["topics"]["orders.commands"].update(max_message_bytes=500_000),
        "orders.commands", "", Rule.TOPIC, "500000 bytes instead of 1048576", READ),
    "a header now needed": (
        lambda c: c.surface["headers"]["orders.commands order.place"]["required"].append("ce_id"),
        "orders.commands order.place", "/ce_id", Rule.HEADER, "may no longer be left out", READ),
    "event name of the catalogue removed": (
        lambda c: c.surface["event_names"].pop("SORTED"),
        "SORTED", "", Rule.EVENT_NAME, "(gone)", READ),
    # --- what we publish: events, outcomes, rejections
    "event member removed": (
        lambda c: members(c, "shipment.scanned", "ShipmentEventData").pop("notify"),
        "shipment.scanned", "/event_data/notify", Rule.MEMBER_REMOVED, "is gone", WRITE),
    "event member renamed": (
        lambda c: rename(members(c, "order.placed"), "order_version", "version_of_order"),
        "order.placed", "/order_version", Rule.MEMBER_REMOVED, "`version_of_order`", WRITE),
    "event member no longer always there": (
        lambda c: required(c, "order.placed").remove("sequence"),
        "order.placed", "/sequence", Rule.MEMBER_OPTIONAL, "was always there", WRITE),
    "event member may be null": (
        lambda c: members(c, "claim.created", "ClaimEventData").update(
            status={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        "claim.created", "/event_data/status", Rule.MEMBER_OPTIONAL, "may now be null", WRITE),
    "event member of another type": (
        lambda c: members(c, "shipment.scanned")["sequence"].update(type="string"),
        "shipment.scanned", "/sequence", Rule.TYPE, "integer became string", WRITE),
    "number with a fraction": (
        lambda c: members(c, "command.decided")["index"].update(type="number"),
        "command.decided", "/index", Rule.TYPE, "integer became integer or number", WRITE),
    "id that is no uuid": (
        lambda c: members(c, "order.placed")["order_id"].pop("format"),
        "order.placed", "/order_id", Rule.FORMAT, "'uuid' became 'none'", WRITE),
    "amount as a number": (
        lambda c: members(c, "order.placed", "Order")["expected_number_of_shipments"].update(
            type=["integer", "string"]),
        "order.placed", "/context/order/expected_number_of_shipments", Rule.TYPE, "or string",
        WRITE),
    "kept events no longer read": (
        lambda c: required(c, "shipment.scanned", "Shipment").append("leg"),
        "shipment.scanned", "/context/shipments/*/leg", Rule.MEMBER_REQUIRED, "left out", KEPT),
    "new event member that readers need": (
        lambda c: (members(c, "order.placed").update(shard={"type": "integer"}),
                   required(c, "order.placed").append("shard")),
        "order.placed", "/shard", Rule.MEMBER_REQUIRED, "is new and needed", KEPT),
    "bound on what is kept": (
        lambda c: members(c, "order.placed", "OrderEventData")["status"].update(maxLength=64),
        "order.placed", "/event_data/status", Rule.BOUND, "maxLength: 'none' became 64", KEPT),
    "event of another unit": (
        lambda c: members(c, "order.placed", "Order")["weight"].update(unit="pounds"),
        "order.placed", "/context/order/weight", Rule.UNIT, "'grams' became 'pounds'", WRITE),
    "event type removed": (
        lambda c: c.schemas.pop("shipment.released"),
        "shipment.released", "", Rule.MESSAGE_REMOVED, "the type is gone", WRITE),
    "an outcome added to the closed list": (
        lambda c: c.surface["outcomes"].append("parked"),
        "orders.outcomes", "", Rule.WORDS, "list of outcomes is closed", WRITE),
    "reason code renamed": (
        lambda c: rename(c.surface["reasons"], "stale (Nothing changed)", "old (Nothing changed)"),
        "stale (Nothing changed)", "", Rule.REASON, "(gone)", WRITE),
    "ids made otherwise": (
        lambda c: c.surface["ids"].update({"shipment 1": "0"}),
        "shipment 1", "", Rule.ID, "became '0'", WRITE),
    "another group": (
        lambda c: c.surface["event_names"].update(MISROUTED="in_transit / shipment_in_transit"),
        "MISROUTED", "", Rule.EVENT_NAME, "shipment_in_transit", WRITE),
    "event header removed": (
        lambda c: c.surface["headers"]["orders.events order.placed"]["properties"].pop(
            "ce_subject"),
        "orders.events order.placed", "/ce_subject", Rule.HEADER, "is gone", WRITE),
    "event header no longer always there": (
        lambda c: c.surface["headers"]["orders.events order.placed"]["required"].remove(
            "ce_sequence"),
        "orders.events order.placed", "/ce_sequence", Rule.HEADER, "may now be left out", WRITE),
    "events kept for a shorter time": (
        lambda c: c.surface["topics"]["orders.events"].update(retention_ms=86_400_000),
        "orders.events", "", Rule.TOPIC, "kept 86400000 ms", WRITE),
    "more partitions": (
        lambda c: c.surface["topics"]["orders.events"].update(partitions=12),
        "orders.events", "", Rule.TOPIC, "partitions: 6 became 12", WRITE),
    "larger events": (
        lambda c: c.surface["topics"]["orders.events"].update(max_message_bytes=4_000_000),
        "orders.events", "", Rule.TOPIC, "4000000 bytes", WRITE),
    "an example no released reader takes": (
        lambda c: sent(c, {"sequence": "four"}),
        "shipment.scanned", "/sequence", Rule.UNREADABLE, "'four' is not of type 'integer'", WRITE),
    "an example without what is needed": (
        lambda c: sent(c, {"event_data": {"event_name": "SORTED"}}),
        "shipment.scanned", "/event_data", Rule.UNREADABLE, "is a required property", WRITE),
}  # fmt: skip


COMPATIBLE = {
    "optional member read": lambda c: members(c, "order.place").update(
        gift={"type": "boolean", "default": False}),
    "member published": lambda c: members(c, "order.placed").update(
        shard={"type": "integer"}),
    "member no longer needed": lambda c: required(c, "order.cancel").remove("id"),
    "wider bounds": lambda c: product(c)["quantity"].update(maximum=1_000_000, minimum=0),
    "longer text": lambda c: members(c, "order.place")["shop_slug"].update(maxLength=128),
    "bound dropped": lambda c: members(c, "order.place")["shop_slug"].pop("maxLength"),
    "pattern with an alternative": lambda c: members(c, "order.place")["shop_slug"].update(
        pattern=members(c, "order.place")["shop_slug"]["pattern"] + "|^[A-Z]+$"),
    "pattern dropped": lambda c: placement(c)["currency"].pop("pattern"),
    "a further form read": lambda c: placement(c)["total_order_price"]["anyOf"].append(
        {"type": "object"}),
    "a word more is read": lambda c: c.schemas["claim.open"]["$defs"]["ClaimReason"][
        "enum"].append("late"),
    "an open word more": lambda c: c.schemas["tracking.reported"]["$defs"]["Precision"][
        "x-known-values"].append("hour"),
    "null for a member that may be absent": lambda c: placement(c)["currency"].update(
        {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    "new command": lambda c: (
        c.schemas.update({"order.merge": {"type": "object", "required": ["id"]}}),
        c.surface["topics"]["orders.commands"]["types"].append("order.merge")),
    "new event": lambda c: (
        c.schemas.update({"order.snapshot": deepcopy(c.schemas["order.placed"])}),
        c.surface["topics"]["orders.events"]["types"].append("order.snapshot")),
    "new topic": lambda c: c.surface["topics"].update(
        {"portal.activity": deepcopy(c.surface["topics"]["orders.commands"])}),
    "new reason code": lambda c: c.surface["reasons"].update(
        {"skipped_by_operator (Refused)": "Refused"}),
    "new event name": lambda c: c.surface["event_names"].update(FROZEN="in_transit / none"),
    "new optional header": lambda c: c.surface["headers"]["orders.events order.placed"][
        "properties"].update(ce_region={"type": "string"}),
    "events kept longer": lambda c: c.surface["topics"]["orders.events"].update(
        retention_ms=10**10),
    "larger commands": lambda c: c.surface["topics"]["orders.commands"].update(
        max_message_bytes=4_000_000),
    "other words about it": lambda c: product(c)["quantity"].update(
        description="How many pieces", examples=[7], title="Amount"),
    "a definition renamed": lambda c: _renamed_definition(c.schemas["order.upsert"]),
}  # fmt: skip


def _renamed_definition(schema):
    text = json.dumps(schema).replace("OrderPlacement", "Placement")
    schema.clear()
    schema.update(json.loads(text))
