"""P7: a change of the contract that breaks a reader of a release is caught, and said in words.

Each case changes a copy of release 1 as somebody might change the models, and the gate must name
the message, the place, the rule, whom it breaks and what to do; or must let it pass.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import Field, model_validator

from schemas import commands, events, topics
from schemas.gate import contract, releases
from schemas.gate.__main__ import breaks
from schemas.gate.breaks import INSTEAD, Rule, told
from schemas.gate.contract import Contract
from schemas.gate.judge import judge
from schemas.model import refused
from schemas.orders import OrderPlacement

ROOT = Path(__file__).resolve().parents[2]
# A release never changes: not even together with its own digests.
MANIFESTS = {1: "29904a91086705a65fb9ef278034e3d3a2e5f5d0e4c70bd71ced865e044eafed"}
READ, WRITE = "publishers of release 1", "subscribers of release 1"
KEPT = "readers who update"


@pytest.fixture(scope="module")
def release():
    return releases.load()[0]


@pytest.fixture
def changed(release) -> Contract:
    """A copy of the released contract, to be changed as today's."""
    return deepcopy(release.contract)


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
    "an outcome nobody was told of": (
        lambda c: c.surface["outcomes"].append("parked"),
        "orders.outcomes", "", Rule.WORDS, "list of outcomes is closed", WRITE),
    "reason code renamed": (
        lambda c: rename(c.surface["reasons"], "stale (Nothing changed)", "old (Nothing changed)"),
        "stale (Nothing changed)", "", Rule.REASON, "(gone)", WRITE),
    "ids made otherwise": (
        lambda c: c.surface["ids"].update({"shipment 1": "0"}),
        "shipment 1", "", Rule.ID, "became '0'", WRITE),
    "another group": (
        lambda c: c.surface["event_names"].update(SORTED="in_transit / shipment_in_transit"),
        "SORTED", "", Rule.EVENT_NAME, "shipment_in_transit", WRITE),
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


@pytest.mark.parametrize("case", BREAKING)
def test_breaking_change_is_reported_with_place_rule_victims_and_way_out(case, release, changed):
    change, message, at, rule, words, victims = BREAKING[case]
    change(changed)

    found = judge(release, changed, {})

    hits = [b for b in found if (b.message, b.at, b.rule) == (message, at, rule)]
    assert hits, f"not caught; told was: {list(told(found))}"
    text = "\n".join(told(hits))
    assert words in text
    assert f"breaks   {victims}" in text
    assert INSTEAD[rule] in text
    assert f"{message} {at or '(whole)'}: {rule}: " in text


def test_released_contract_does_not_break_itself(release, changed):
    assert judge(release, changed, contract.models()) == []


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


@pytest.mark.parametrize("case", COMPATIBLE)
def test_compatible_change_passes(case, release, changed):
    COMPATIBLE[case](changed)

    assert changed != release.contract
    assert judge(release, changed, {}) == []


class Checked(commands.OrderPlace):
    """A check that no JSON Schema shows."""

    @model_validator(mode="after")
    def _has_products(self):
        if not self.order.products:
            raise refused("an order needs products")
        return self


class Lowered(OrderPlacement):
    """Reads a value otherwise than before."""

    @model_validator(mode="before")
    @classmethod
    def _lower(cls, data):
        return data | {"order_name": str(data.get("order_name", "")).lower()}


class PlaceLowered(commands.OrderPlace):
    """The same inside a command."""

    order: Lowered


class Aliased(commands.OrderCancel):
    """A member under another name."""

    reason: str | None = Field(default=None, alias="why")


class StrictEvent(events.OrderEvent):
    """Needs what older events lack."""

    order_version: int


class WithoutItems(commands.BulkFulfillment):
    """A check of what lies inside a bulk command."""

    @model_validator(mode="after")
    def _has_order(self):
        if self.order is None:
            raise refused("each item needs its order")
        return self


MODELS = {
    "a check in Python": (
        "order.place", Checked, Rule.EXAMPLE, "an order needs products"),
    "read otherwise": (
        "order.place", PlaceLowered, Rule.READING, "is read as"),
    "alias renamed": (
        "order.cancel", Aliased, Rule.READING, 'is read as "(absent)"'),
    "a check in an item of a bulk": (
        "orders.fulfill_bulk.item", WithoutItems, Rule.EXAMPLE, "each item needs its order"),
}  # fmt: skip


@pytest.mark.parametrize("case", MODELS)
def test_released_messages_catch_changes_that_no_schema_shows(case, release, changed):
    type_, model, rule, words = MODELS[case]

    found = judge(release, changed, {type_: model})

    assert rule in {b.rule for b in found}
    assert any(words in b.fact for b in found)
    assert all(READ in b.victims for b in found)


def test_released_events_stay_readable_for_readers_who_update(release, changed):
    old = replace(release, contract=replace(release.contract, examples=tuple(_older(release))))

    found = judge(old, changed, {"order.placed": StrictEvent})

    assert [(b.message, b.rule) for b in found if b.rule is Rule.EXAMPLE] == [
        ("order.placed", Rule.EXAMPLE)
    ]
    assert all(KEPT in b.victims for b in found)


def _older(release):
    for example in release.contract.examples:
        if example.type == "order.placed":
            value = {k: v for k, v in example.value.items() if k != "order_version"}
            yield replace(example, value=value)


def test_current_contract_breaks_no_release():
    held, found = breaks()

    assert held >= 1
    assert list(told(found)) == []


def test_release_is_never_changed():
    numbers = sorted(int(path.name) for path in releases.FOLDER.iterdir())
    found = {n: releases._digest(releases.FOLDER / str(n) / releases.MANIFEST) for n in numbers}

    assert found == MANIFESTS, "a new release is added here, with the digest of its manifest"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "json" / "order.place.v1.schema.json").write_text("{}"), "differs from"),
        (lambda f: (f / "examples" / "order.place" / "guest.json").unlink(), "is missing"),
        (lambda f: (f / "json" / "order.new.v1.schema.json").write_text("{}"), "was not in it"),
    ],
)
def test_release_with_a_changed_file_is_reported(tmp_path, spoil, words):
    shutil.copytree(releases.FOLDER, tmp_path / "released")
    spoil(tmp_path / "released" / "1")

    held, found = breaks(tmp_path / "released")

    assert held == 0
    assert [b.rule for b in found] == [Rule.RELEASE]
    assert words in found[0].fact


def test_release_manifest_holds_the_release_before(tmp_path, release, changed):
    folder = tmp_path / "released"
    shutil.copytree(releases.FOLDER / "1", folder / "1")

    releases.freeze(changed, "2026-03-01", folder)
    assert len(releases.load(folder)) == 2
    assert list(releases.changed_files(folder)) == []

    manifest = folder / "1" / releases.MANIFEST
    manifest.write_text(manifest.read_text("utf-8") + " ")
    assert [b.message for b in releases.changed_files(folder)] == ["release 1"]
    shutil.rmtree(folder / "1")
    with pytest.raises(ValueError, match="without a gap"):
        releases.load(folder)


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        (
            "schemas/orders.py",
            "order_name: Annotated[Reference | None, ",
            "display_name: Annotated[Reference | None, ",
            ("/order/order_name: member removed", READ, "keep the member beside the new one"),
        ),
        (
            "schemas/events.py",
            'shop_slug: Annotated[str, about("The shop", "demo-shop")]',
            'shop_slug: Annotated[str | None, about("The shop", "demo-shop")] = None',
            ("/shop_slug: member no longer always there", WRITE, "go on publishing it always"),
        ),
        (
            "docs/contract/reasons.md",
            "| `stale` |",
            "| `outdated` |",
            ("reason code changed", WRITE, "keep the code"),
        ),
        ("schemas/orders.py", 'about("The shop\'s id of the line"', 'about("Its line"', ()),
    ],
)
def test_gate_command_judges_the_current_models(tmp_path, file, before, after, words):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas", ignore=ignored)
    shutil.copytree(ROOT / "docs" / "contract", tmp_path / "docs" / "contract")
    text = (tmp_path / file).read_text("utf-8")
    assert before in text
    (tmp_path / file).write_text(text.replace(before, after), "utf-8")

    ran = subprocess.run(
        [sys.executable, "-m", "schemas.gate", "--check"],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert ran.returncode == (1 if words else 0), ran.stderr
    assert [word for word in words if word not in ran.stderr] == []
    assert ran.stdout.startswith("gate: releases=")


def test_rules_all_have_a_way_out_and_a_case():
    used = {case[3] for case in BREAKING.values()} | {case[2] for case in MODELS.values()}

    assert set(INSTEAD) == set(Rule)
    assert used | {Rule.RELEASE} == set(Rule)


def test_gate_is_imported_by_no_program():
    for top in ("schemas", "services", "orderflow"):
        for path in (ROOT / top).rglob("*.py"):
            if path.parent.name != "gate" and path.name != "release.py":
                assert "schemas.gate" not in path.read_text("utf-8"), path


def test_bulk_items_are_on_the_topic_of_the_bulk_command(release):
    assert release.contract.incoming("orders.fulfill_bulk.item")
    assert not release.contract.incoming("order.placed")
    assert {t.name for t in topics.CATALOGUE if t.incoming} == {
        name for name, topic in release.contract.surface["topics"].items() if topic["incoming"]
    }
