"""`orderflow destinations replay|show|test` as a person runs them, against a running service."""

import json
from functools import partial

import pytest
from standardwebhooks import Webhook

from services.deliveries.secret_box import read_box
from tests.integration.deliveries.conftest import (
    SHOP,
    a_destination,
    an_event,
    asked,
    until,
    until_row,
)
from tests.integration.deliveries.test_deliveries import FIND, UPSERT, WAITING, named
from tests.integration.deliveries.test_replays import age_filters

WHY = ("--why", "a test")
AUDIT = "SELECT * FROM deliveries.operator_act WHERE act = $1"


@pytest.fixture
def cli(operate):
    """Runs `orderflow destinations`; returns its exit status and what it printed."""
    return partial(operate, "destinations")


async def test_replay_is_followed_to_its_end_and_audited(
    settings, running, command, publish, receiver, cli
):
    await command(UPSERT, a_destination(receiver.url, filters=["shipments"]))
    await age_filters(settings)
    await publish(an_event("1", 1), an_event("1", 2), an_event("2", 1))
    await until(lambda: len(receiver.requests) == 3)
    words = ("replay", SHOP, "erp", "--order", "1", "--sequence", "2-")

    tried = await cli(*words, "--dry-run")
    status, said = await cli(*words, "--wait", *WHY)

    assert tried == (0, "replay: kept=1 reads_topics=no dry_run=yes\n")
    assert status == 0, said
    assert "ended=yes kept=1 topics=0 states=0" in said.splitlines()[-1]
    await until(lambda: len(receiver.requests) == 4)
    (act,) = await asked(settings, AUDIT, "destinations.replay")
    assert act["reason"] == "a test"
    assert json.loads(act["detail"])["selection"]["sequence_from"] == 2


async def test_replay_that_is_tried_says_from_when_on_it_counted(
    settings, running, command, publish, receiver, cli
):
    await command(UPSERT, a_destination(receiver.url))
    await publish(an_event("1", 1))
    await until(lambda: len(receiver.requests) == 1)

    words = ("replay", SHOP, "erp", "--from", "2026-01-01T00:00Z", "--dry-run")
    young = await cli(*words)
    await age_filters(settings)
    older = await cli(*words)

    (row,) = await asked(settings, "SELECT min(recorded_at) AS at FROM deliveries.event_body")
    assert young[1].splitlines()[-1] == "replay: kept=0 reads_topics=yes dry_run=yes"
    since = f"{row['at']:%Y-%m-%dT%H:%M:%SZ}"
    assert older[1].splitlines() == [
        f"Events before {since} would be read from the topics, and are not counted.",
        "replay: kept=1 reads_topics=yes dry_run=yes",
    ]


async def test_replay_without_a_selection_or_a_destination_is_refused(
    settings, running, command, receiver, cli
):
    await command(UPSERT, a_destination(receiver.url))

    nothing = await cli("replay", SHOP, "erp", *WHY)
    unknown = await cli("replay", SHOP, "none", "--failed", *WHY)
    no_range = await cli("replay", SHOP, "erp", "--order", "1", "--sequence", "two", *WHY)
    no_reason = await cli("replay", SHOP, "erp", "--failed")

    assert nothing[0] == 1
    assert "nothing is selected" in nothing[1]
    assert unknown[0] == 1
    assert "has no destination none" in unknown[1]
    assert (no_range[0], no_reason[0]) == (2, 2)
    assert await asked(settings, "SELECT FROM deliveries.replay") == []
    assert await asked(settings, AUDIT, "destinations.replay") == []


async def test_show_says_what_waits_and_never_the_secret(
    settings, running, command, publish, receiver, cli
):
    receiver.answer = lambda _request: 404
    await command(UPSERT, a_destination(receiver.url))
    await publish(an_event("1", 1), an_event("1", 2))
    await until_row(settings, "SELECT FROM deliveries.message_group WHERE attempts = 1")
    await until_row(settings, WAITING, 2)
    await asked(settings, "UPDATE deliveries.message_group SET due_at = '9999-01-01T00:00Z'")

    status, said = await cli("show", SHOP, "erp")
    _, as_json = await cli("show", SHOP, "erp", "--json")

    assert status == 0
    assert said.splitlines()[-1] == (
        "destination: demo-shop/erp state=active waiting=2 held_orders=1"
    )
    assert an_event("1", 1)["event_id"] in said
    assert an_event("1", 1)["order_id"] in said
    found = json.loads(as_json)
    assert [each["due_at"] for each in found["groups"]] == [None]
    assert found["attempts"][0]["status"] == 404
    (row,) = await asked(settings, FIND, "erp")
    secret = read_box(settings.deliveries_key).decrypt(row["secret"], SHOP, "erp")
    for text in (said, as_json):
        assert secret not in text
        assert row["secret"].hex() not in text


async def test_show_of_no_destination_says_so(running, cli):
    status, said = await cli("show", SHOP, "none")

    assert status == 1
    assert "is no destination" in said


async def test_test_event_is_signed_and_leaves_an_audit_row_alone(
    settings, running, command, receiver, cli
):
    await command(UPSERT, a_destination(receiver.url))

    status, said = await cli("test", SHOP, "erp", *WHY)

    assert status == 0, said
    assert said.splitlines()[0] == "the receiver took it"
    (request,) = receiver.requests
    (row,) = await asked(settings, FIND, "erp")
    secret = read_box(settings.deliveries_key).decrypt(row["secret"], SHOP, "erp")
    body = Webhook(secret).verify(request.body, request.headers)
    assert body["event_id"] == request.headers["webhook-id"]
    assert request.headers["orderflow-event-type"] == "destination.test"
    assert "orderflow-data-schema" not in request.headers
    (act,) = await asked(settings, AUDIT, "destinations.test")
    assert json.loads(act["detail"])["event"] == body["event_id"]
    for table in ("attempt", "event_body", "backlog", "delivery", "destination_health"):
        assert await asked(settings, f"SELECT FROM deliveries.{table}") == []


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(401, "signature"), (404, "path"), (410, "gone"), (302, "redirects"), (500, "error")],
    ids=str,
)
async def test_test_event_that_is_refused_says_what_was_wrong(
    settings, running, command, receiver, cli, status, sentence
):
    receiver.answer = lambda _request: status
    await command(UPSERT, a_destination(receiver.url))

    ended, said = await cli("test", SHOP, "erp", *WHY)

    assert ended == 1
    assert sentence in said.splitlines()[0]
    assert f"status={status} " in said.splitlines()[-1]
    (row,) = await asked(settings, FIND, "erp")
    assert row["state"] == "active"


async def test_test_event_to_an_address_that_is_not_allowed_is_not_sent(
    settings, running, command, receiver, cli, monkeypatch
):
    await command(UPSERT, a_destination(receiver.url))
    monkeypatch.setenv("ORDERFLOW_DELIVERIES_NETWORKS", "10.0.0.0/8")

    ended, said = await cli("test", SHOP, "erp", *WHY)

    assert ended == 1
    assert "not a public address" in said
    assert not receiver.requests


async def test_test_event_of_a_removed_destination_is_refused(running, command, receiver, cli):
    await command(UPSERT, a_destination(receiver.url))
    await command("destination.remove", named())

    ended, said = await cli("test", SHOP, "erp", *WHY)

    assert ended == 1
    assert "is no destination" in said
    assert not receiver.requests
