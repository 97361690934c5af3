"""Requests to the gateway: accepted ones are on Kafka where the answer says, others are not."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time

import httpx
import pytest

from schemas.topics import CARRIER_TRACKING, CLAIMS_COMMANDS, ORDERS_COMMANDS
from services.gateway.operations import keys

from .conftest import BY, SECRET, until

PLACE = {
    "shop_slug": "demo-shop",
    "order": {"order_number": "1001", "address": {"zip_code": "10115"}},
}
CLAIM = {"shop_slug": "demo-shop", "id": "1001", "reason": "DAMAGED"}
JSON = {"content-type": "application/json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
SCANS = b'{"msg": {"tracking_number": "1Z1", "slug": "ups", "checkpoints": []}}'


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def aftership(body, secret=SECRET):
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"aftership-hmac-sha256": base64.b64encode(digest).decode()}


def karla(body, now=None, secret=SECRET):
    said = str(int(time.time() if now is None else now))
    value = hmac.new(secret.encode(), said.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"karla-signature": f"t={said},v1={value}"}


def problem(answer):
    """Status and code of a refusal, which has the form of RFC 9457."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"].endswith(f"/{body['code']}")
    assert body["title"]
    assert body["detail"]
    return answer.status_code, body["code"]


async def send(gateway, key, events, shop="demo-shop"):
    path = f"/shops/{shop}/commands"
    return await gateway.client.post(path, json=events, headers=bearer(key) | BATCH)


async def test_commands_are_on_kafka_where_the_answer_says(gateway):
    key = await gateway.shop_key()
    events = [
        {"id": "c1", "type": "order.place", "data": PLACE},
        {"id": "c2", "type": "order.cancel", "data": {"shop_slug": "demo-shop", "id": "1001"}},
    ]

    answer = await send(gateway, key, events)
    placed = {(at.partition, at.offset): at for at in await gateway.records(ORDERS_COMMANDS)}

    assert answer.status_code == 202
    said = answer.json()["records"]
    assert [each["id"] for each in said] == ["c1", "c2"]
    for each, event in zip(said, events, strict=True):
        record = placed.pop((each["partition"], each["offset"]))
        headers = dict(record.headers)
        assert each["topic"] == ORDERS_COMMANDS
        assert json.loads(record.value) == event["data"]
        assert record.key == b"demo-shop/1001"
        assert headers["ce_source"] == b"/shops/demo-shop"
        assert headers["ce_id"].decode() == event["id"]
    assert not placed


async def test_claim_commands_are_on_their_topic(gateway):
    from schemas.example_files import load_examples

    key = await gateway.shop_key()
    (example, *_) = load_examples("claim.open")
    event = {"id": "c1", "type": "claim.open", "data": example.value}

    answer = await send(gateway, key, [event])

    assert answer.status_code == 202, answer.text
    assert len(await gateway.records(CLAIMS_COMMANDS)) == 1


async def test_batch_with_one_wrong_event_is_refused_whole(gateway):
    key = await gateway.shop_key()
    wrong = {"shop_slug": "demo-shop", "order": {}}
    events = [
        {"id": "c1", "type": "order.place", "data": PLACE},
        {"id": "c2", "type": "order.place", "data": wrong},
    ]

    answer = await send(gateway, key, events)

    assert problem(answer) == (422, "invalid_body")
    assert {each["pointer"] for each in answer.json()["errors"]} >= {"/1/data/order/order_number"}
    assert await gateway.records(ORDERS_COMMANDS) == []


async def test_tracking_is_on_kafka_as_it_was_sent(gateway):
    body = '{"msg":  {"city": "Köln"}}\n'.encode()
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}

    answers = [
        await gateway.client.post(
            "/carriers/aftership", content=body, headers=aftership(body) | JSON | trace
        )
        for _ in range(2)
    ]
    records = await gateway.records(CARRIER_TRACKING)

    assert [each.status_code for each in answers] == [202, 202]
    assert [record.value for record in records] == [body, body]
    first, second = (dict(record.headers) for record in records)
    assert first["ce_id"] == second["ce_id"], "a repeated request has the same id"
    assert first["ce_type"] == b"aftership.tracking"
    assert first["ce_source"] == b"/carriers/aftership"
    assert first["content-type"] == b"application/json"
    assert first["traceparent"] == trace["traceparent"].encode()


async def test_xml_is_passed_on_with_its_content_type(gateway):
    key = await gateway.carrier_key("standard")
    headers = bearer(key) | {"content-type": "text/xml; charset=ISO-8859-1"}
    body = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>\xfc</x>'

    answer = await gateway.client.post("/carriers/standard", content=body, headers=headers)
    (record,) = await gateway.records(CARRIER_TRACKING)

    assert answer.status_code == 202
    assert record.value == body
    assert dict(record.headers)["content-type"] == b"text/xml; charset=ISO-8859-1"


async def test_key_is_taken_as_the_password_of_an_address_and_of_shippo_as_a_token(gateway):
    key = await gateway.carrier_key("standard")
    as_password = await gateway.client.post(
        "/carriers/standard", content=SCANS, headers=JSON, auth=httpx.BasicAuth("any", key)
    )
    in_url = await gateway.client.post(
        f"/carriers/standard?token={key}", content=SCANS, headers=JSON
    )

    assert as_password.status_code == 202
    assert problem(in_url) == (401, "signature_missing"), "only senders that can do nothing else"


async def test_ups_sends_its_key_as_credential_and_is_answered_with_200(gateway):
    key = {"credential": await gateway.carrier_key("ups")}
    answer = await gateway.client.post("/carriers/ups", content=SCANS, headers=key | JSON)
    wrong = await gateway.client.post(
        "/carriers/ups", content=SCANS, headers={"credential": "ofk_x"} | JSON
    )
    empty = await gateway.client.post(
        "/carriers/ups", content=SCANS, headers={"credential": ""} | JSON
    )
    of_another_form = await gateway.client.post(
        "/carriers/standard", content=SCANS, headers=key | JSON
    )

    assert answer.status_code == 200
    assert len(await gateway.records(CARRIER_TRACKING)) == len(answer.json()["records"]) == 1
    assert problem(wrong) == (401, "wrong_key")
    assert problem(empty) == (401, "signature_missing")
    assert "credential: ofk_" in empty.json()["detail"]
    assert problem(of_another_form) == (401, "signature_missing")
    assert "credential" not in of_another_form.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({}, (401, "signature_missing")),
        (aftership(b"another body"), (401, "wrong_signature")),
        (aftership(SCANS, "another-secret"), (401, "wrong_signature")),
        (karla(SCANS, now=time.time() - 1_000), (401, "old_signature")),
        (karla(SCANS, now=time.time() + 1_000), (401, "old_signature")),
        (karla(b"another body"), (401, "wrong_signature")),
        ({"authorization": "Bearer x"}, (401, "wrong_key")),
        ({"authorization": "Digest x"}, (401, "authorization_unreadable")),
        ({"authorization": "Basic \u00e9"}, (401, "authorization_unreadable")),
    ],
)
async def test_tracking_without_a_right_signature_or_key_is_refused(gateway, headers, refusal):
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}

    answer = await gateway.client.post("/carriers/aftership", content=SCANS, headers=encoded | JSON)

    assert problem(answer) == refusal
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert gateway.refused("aftership", refusal[1]) == 1
    assert await gateway.records(CARRIER_TRACKING) == []


async def test_request_that_is_replayed_is_refused_when_it_is_old_and_else_is_the_same_message(
    gateway, monkeypatch
):
    headers = karla(SCANS) | JSON
    for _ in range(2):
        answer = await gateway.client.post("/carriers/aftership", content=SCANS, headers=headers)
        assert answer.status_code == 202
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    replayed = await gateway.client.post("/carriers/aftership", content=SCANS, headers=headers)

    assert problem(replayed) == (401, "old_signature")
    records = await gateway.records(CARRIER_TRACKING)
    assert len({dict(record.headers)["ce_id"] for record in records}) == 1


async def test_key_of_another_shop_or_form_is_refused(gateway):
    shop, carrier = await gateway.shop_key(), await gateway.carrier_key("standard")
    event = {"id": "c1", "type": "order.place", "data": PLACE}
    other = {**event, "data": {**PLACE, "shop_slug": "other-shop"}}

    async def carry(key, name):
        return await gateway.client.post(
            f"/carriers/{name}", content=SCANS, headers=bearer(key) | JSON
        )

    assert problem(await send(gateway, shop, [event], "other-shop")) == (403, "wrong_shop")
    assert problem(await send(gateway, shop, [event], "x%2F..%2Fdemo-shop")) == (404, "not_found")
    assert problem(await send(gateway, shop, [event, other])) == (403, "wrong_shop")
    assert problem(await send(gateway, shop, [event | {"source": "x"}])) == (
        403,
        "source_not_allowed",
    )
    assert problem(await send(gateway, carrier, [event])) == (403, "wrong_shop")
    assert problem(await carry(shop, "standard")) == (403, "wrong_dialect")
    assert problem(await carry(carrier, "aftership")) == (403, "wrong_dialect")
    assert await gateway.records(ORDERS_COMMANDS) == []


async def test_addresses_methods_and_media_types_that_are_not_taken(gateway):
    key = await gateway.shop_key()
    post = gateway.client.post

    def sends(content_type):
        return bearer(key) | {"content-type": content_type}

    commands = "/shops/demo-shop/commands"
    assert problem(await post("/nothing", content=b"{}")) == (404, "not_found")
    assert problem(await post("/carriers/nobody", content=b"{}")) == (404, "unknown_dialect")
    for near in ("/carriers/ups/", "//carriers/ups", "/carriers//ups", f"{commands}/"):
        assert problem(await post(near, content=b"{}")) == (404, "not_found")
    got = await gateway.client.get(commands)
    assert problem(got) == (405, "method_not_allowed")
    assert got.headers["allow"] == "POST"
    assert problem(await post(commands, content=b"x", headers=sends("text/plain"))) == (
        415,
        "unsupported_media_type",
    )
    packed = sends("application/json") | {"content-encoding": "gzip"}
    assert problem(await post(commands, content=b"x", headers=packed)) == (
        415,
        "unsupported_encoding",
    )
    wrong = aftership(SCANS) | {"content-type": "image/png"}
    assert problem(await post("/carriers/aftership", content=SCANS, headers=wrong)) == (
        415,
        "unsupported_media_type",
    )
    malformed = await post(commands, content=b"{", headers=sends("application/cloudevents+json"))
    assert problem(malformed) == (422, "invalid_body")
    empty = await post("/carriers/aftership", content=b"", headers=aftership(b"") | JSON)
    assert problem(empty) == (422, "invalid_body")


async def test_body_that_is_too_large_is_refused_whether_it_says_so_or_not(gateway):
    key = await gateway.shop_key()
    large = b"x" * (gateway.settings.gateway_max_body_bytes + 1)

    async def in_chunks():
        for begin in range(0, len(large), 10_000):
            yield large[begin : begin + 10_000]

    path, headers = "/shops/demo-shop/commands", bearer(key) | JSON | {"ce-id": "1"}
    declared = await gateway.client.post(path, content=large, headers=headers)
    chunked = await gateway.client.post(path, content=in_chunks(), headers=headers)
    again = await send(gateway, key, [{"id": "c1", "type": "order.place", "data": PLACE}])

    assert problem(declared) == problem(chunked) == (413, "too_large")
    assert again.status_code == 202
    assert gateway.service._requests._held._held == 0


async def test_sender_that_sends_too_much_waits_and_others_do_not(gateway):
    slow, other = await gateway.shop_key(rate=1.0), await gateway.shop_key()
    event = {"id": "c1", "type": "order.place", "data": PLACE}

    first = [await send(gateway, slow, [event]) for _ in range(4)]
    refused = [each for each in first if each.status_code == 429]

    assert refused
    assert problem(refused[0]) == (429, "too_many_requests")
    assert int(refused[0].headers["retry-after"]) >= 1
    assert (await send(gateway, other, [event])).status_code == 202


async def test_batch_that_is_larger_than_the_burst_is_taken_of_one_who_sent_nothing_before(gateway):
    key = await gateway.shop_key(rate=2.0)
    events = [{"id": f"c{n}", "type": "order.place", "data": PLACE} for n in range(20)]

    assert (await send(gateway, key, events)).status_code == 202
    assert problem(await send(gateway, key, events)) == (429, "too_many_requests")


async def test_revoked_key_is_refused_and_the_others_are_not(gateway):
    key, other = await gateway.shop_key(), await gateway.shop_key()
    event = {"id": "c1", "type": "order.place", "data": PLACE}
    assert (await send(gateway, key, [event])).status_code == 202

    async with keys.opened_by_owner(gateway.settings) as connection:
        assert await keys.revoke(connection, key.split("_")[1], BY)
        assert not await keys.revoke(connection, key.split("_")[1], BY)
    await gateway.service.keys.refresh()

    assert problem(await send(gateway, key, [event])) == (401, "wrong_key")
    assert (await send(gateway, other, [event])).status_code == 202


async def test_revoked_key_is_refused_within_the_time_of_the_setting(start, settings):
    gateway = await start(settings.model_copy(update={"gateway_key_cache_seconds": 1.0}))
    key = await gateway.shop_key()
    event = {"id": "c1", "type": "order.place", "data": PLACE}
    assert (await send(gateway, key, [event])).status_code == 202
    async with keys.opened_by_owner(settings) as connection:
        await keys.revoke(connection, key.split("_")[1], BY)

    began = time.monotonic()
    while (await send(gateway, key, [event])).status_code == 202:
        assert time.monotonic() - began < 20
        await asyncio.sleep(0.02)


async def test_many_keys_are_checked_by_one_of_them(gateway):
    async with keys.opened_by_owner(gateway.settings) as connection:
        await connection.execute(
            "INSERT INTO api_key (id, kind, name, source, hash, note) "
            "SELECT translate(lpad(n::text, 12, '0'), '0123456789', 'abcdefghij'), "
            "'shop', 's', 's', 'h', '' "
            "FROM generate_series(1, 20000) AS n"
        )
    key = await gateway.shop_key()

    answer = await send(gateway, key, [{"id": "c1", "type": "order.place", "data": PLACE}])

    assert len(gateway.service.keys) == 20_001
    assert answer.status_code == 202


async def test_nothing_of_bodies_keys_and_signatures_is_logged(gateway, caplog):
    caplog.set_level(logging.INFO)
    key = await gateway.shop_key()
    body = b'{"name": "Erika Mustermann"}'
    headers = aftership(body)
    await send(gateway, key, [{"id": "c1", "type": "order.place", "data": PLACE}])
    await send(gateway, key + "x", [])
    await send(gateway, key, [{"id": "c2", "type": "order.place", "data": {"x": "Mustermann"}}])
    await gateway.client.post("/carriers/aftership", content=body, headers=headers | JSON)
    await gateway.client.post("/carriers/aftership", content=b"-" + body, headers=headers | JSON)
    await gateway.service._requests.log_refused()

    ours = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("http")
    )
    assert "Mustermann" not in ours
    assert key.split("_", 2)[2] not in ours
    assert headers["aftership-hmac-sha256"] not in ours


async def test_health_metrics_and_document(gateway):
    checks = {name: await check() for name, check in gateway.service.readiness().items()}
    document = (await gateway.client.get("/openapi.json")).json()
    await gateway.client.post("/carriers/x", content=b"")

    assert {name for name, (ok, _) in checks.items() if not ok} == set()
    assert checks.keys() == {"gateway.requests", "gateway.kafka", "gateway.keys"}
    assert set(document["paths"]) == {
        "/shops/{shop}/commands",
        "/shops/{shop}/activity",
        "/carriers/{dialect}",
    }
    answered = gateway.service.metrics.http_requests_total
    assert answered.labels("gateway", "/carriers/{dialect}", "404")._value.get() == 1
    await until(
        lambda: gateway.service.metrics.http_connections.labels("gateway")._value.get() == 1
    )
