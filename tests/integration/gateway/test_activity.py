"""Activity of tracking pages: from browsers to Kafka, with keys that may send nothing else."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

from schemas.topics import ORDERS_COMMANDS, PORTAL_ACTIVITY

from .conftest import DEADLINE_SECONDS
from .test_requests import JSON, bearer, problem

PAGE = Path(__file__).parents[3] / "docs" / "contract" / "http.md"
PATH = "/shops/demo-shop/activity"
ORIGIN = "https://track.shop.example"
CLICK = {"id": "1010", "kind": "click", "activity_id": "act-1", "widget": "banner"}
RUN = """
globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
const kept = new Map();
globalThis.sessionStorage = {
  getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value),
};
const { startActivity } = await import("./activity.mjs");
const settings = JSON.parse(process.argv[2]);
const agreed = startActivity({ ...settings, consent: true });
const other = startActivity({ ...settings, consent: false });
agreed.add("impression", "banner", { campaign_id: "spring" });
agreed.add("click", "banner", { campaign_id: "spring" });
other.add("impression", "status");
console.log(agreed.link("https://shop.example/mug?size=m", "spring", "MUG-BLUE"));
document.visibilityState = "hidden";
document.dispatchEvent(new Event("visibilitychange"));
"""


@pytest.fixture
def settings(settings):
    """Settings of a gateway that takes activity of one page from browsers."""
    return settings.model_copy(update={"gateway_activity_origins": f"https://a.example,{ORIGIN}"})


async def test_activities_are_on_kafka_and_those_that_are_wrong_are_named(gateway):
    key = await gateway.page_key()

    answer = await gateway.client.post(
        PATH, json=[CLICK, {"id": "1010", "kind": "hover"}], headers=bearer(key)
    )
    (record,) = await gateway.records(PORTAL_ACTIVITY)

    assert answer.status_code == 202, answer.text
    (accepted,) = answer.json()["records"]
    assert accepted == {
        "id": "act-1",
        "topic": PORTAL_ACTIVITY,
        "partition": record.partition,
        "offset": record.offset,
    }
    (refused,) = answer.json()["refused"]
    assert refused["index"] == 1
    assert [each["pointer"] for each in refused["errors"]] == ["/1/kind"]
    assert record.key == b"demo-shop/1010"
    assert dict(record.headers)["ce_source"] == b"/shops/demo-shop/pages"


async def test_activity_of_a_page_needs_no_preflight(gateway):
    """The request of a browser with a text and the key in the address."""
    key = await gateway.page_key()
    headers = {"origin": ORIGIN, "content-type": "text/plain;charset=UTF-8", "user-agent": "Own/7"}

    answer = await gateway.client.post(
        f"{PATH}?key={key}", content=json.dumps(CLICK), headers=headers
    )
    (record,) = await gateway.records(PORTAL_ACTIVITY)

    assert answer.status_code == 202
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["vary"] == "Origin"
    assert json.loads(record.value)["user_agent"] == "Own/7"


async def test_browser_is_answered_for_pages_of_allowed_origins_alone(gateway):
    key = await gateway.page_key()
    asked = {"access-control-request-method": "POST", "origin": ORIGIN}

    preflight = await gateway.client.options(PATH, headers=asked)
    without_key = await gateway.client.post(PATH, json=CLICK, headers={"origin": ORIGIN})
    others = [
        await gateway.client.post(f"{PATH}?key={key}", json=CLICK, headers={"origin": origin})
        for origin in ("https://b.example", "null", "http://track.shop.example", "")
    ]

    assert preflight.status_code == 204, "asked without a key"
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert problem(without_key) == (401, "key_missing")
    assert without_key.headers["access-control-allow-origin"] == ORIGIN, "the page can read it"
    assert [problem(answer) for answer in others] == [(403, "origin_not_allowed")] * 4
    assert not [each for each in others if "access-control-allow-origin" in each.headers]
    assert await gateway.records(PORTAL_ACTIVITY) == []


async def test_key_of_a_page_may_send_activity_of_its_shop_and_nothing_else(gateway):
    key = bearer(await gateway.page_key())
    place = {"shop_slug": "demo-shop", "order": {"order_number": "1", "address": {}}}
    as_command = JSON | {"ce-type": "order.place", "ce-id": "c1"}

    command = await gateway.client.post(
        "/shops/demo-shop/commands", json=place, headers=key | as_command
    )
    tracking = await gateway.client.post("/carriers/standard", json={}, headers=key)
    other = await gateway.client.post("/shops/other-shop/activity", json=CLICK, headers=key)

    assert problem(command) == (403, "only_activity")
    assert problem(tracking) == (403, "wrong_dialect")
    assert problem(other) == (403, "wrong_shop")
    assert await gateway.records(ORDERS_COMMANDS) == []
    assert await gateway.records(PORTAL_ACTIVITY) == []


async def test_key_for_commands_is_refused_where_others_can_read_it(gateway):
    key = await gateway.shop_key()

    of_server = await gateway.client.post(PATH, json=CLICK, headers=bearer(key))
    of_page = await gateway.client.post(PATH, json=CLICK, headers=bearer(key) | {"origin": ORIGIN})
    in_address = await gateway.client.post(f"{PATH}?key={key}", json=CLICK)
    of_carrier = await gateway.client.post(
        PATH, json=CLICK, headers=bearer(await gateway.carrier_key("standard"))
    )

    assert of_server.status_code == 202
    assert problem(of_page) == problem(in_address) == (403, "key_not_for_pages")
    assert problem(of_carrier) == (403, "wrong_shop")
    (record,) = await gateway.records(PORTAL_ACTIVITY)
    assert "user_agent" not in json.loads(record.value), "that of a server says nothing"


async def test_activity_is_bounded_in_bytes_number_form_and_rate(gateway):
    key = bearer(await gateway.page_key(rate=5))

    too_large = await gateway.client.post(PATH, content=b" " * 65_537, headers=key | JSON)
    form = await gateway.client.post(PATH, content=b"<x/>", headers=key | {"content-type": "a/b"})
    too_many = await gateway.client.post(PATH, json=[CLICK] * 101, headers=key)
    first = await gateway.client.post(PATH, json=[CLICK] * 7, headers=key)
    second = await gateway.client.post(PATH, json=[CLICK] * 7, headers=key)

    assert problem(too_large) == (413, "too_large")
    assert "65,536" in too_large.json()["detail"]
    assert problem(form) == (415, "unsupported_media_type")
    assert problem(too_many) == (422, "invalid_body")
    assert first.status_code == 202
    assert problem(second) == (429, "too_many_requests")
    assert int(second.headers["retry-after"]) >= 1
    assert gateway.refused("page", "too_many_requests") == 1


async def test_page_of_the_contract_sends_what_its_visitor_does(gateway, tmp_path):
    """The script of docs/contract/http.md in Node, against this gateway."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on this machine")
    (script, *_) = re.findall(r"```js\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "activity.mjs").write_text(script)
    (tmp_path / "run.mjs").write_text(RUN)
    said = {
        "gateway": f"http://127.0.0.1:{gateway.port}",
        "shop": "demo-shop",
        "key": await gateway.page_key(),
        "order": "1010",
    }

    process = await asyncio.create_subprocess_exec(
        node, "run.mjs", json.dumps(said), cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE_SECONDS):
        printed, _ = await process.communicate()
    found = [json.loads(record.value) for record in await gateway.records(PORTAL_ACTIVITY)]

    assert process.returncode == 0
    agreed = [each for each in found if each["consent"]]
    (other,) = [each for each in found if not each["consent"]]
    assert [each["kind"] for each in agreed] == ["impression", "click"]
    (session,) = {each["session_id"] for each in agreed}
    assert "session_id" not in other
    assert len({each["activity_id"] for each in found}) == 3
    link = printed.decode().strip()
    assert link.startswith("https://shop.example/mug?size=m&of_campaign=spring")
    assert f"of_session={session}" in link
