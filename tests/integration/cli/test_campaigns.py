"""`orderflow campaigns`, and what other commands show and publish of campaigns."""

import asyncio
import json
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import CAMPAIGNS_EVENTS
from tests.integration.cli.test_order import _apply
from tests.integration.orders.campaigns.messages import a_campaign, a_command, a_discount, an_order

from .conftest import Run


@pytest.fixture
def shop(database_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """A shop with a campaign that was paused, its discount, and an order that shows it."""
    pause = {"campaign_id": "spring", "effective_at": "2026-02-25T00:00:00Z"}
    asyncio.run(
        _apply(
            database_url,
            a_campaign("spring", discount_id="d", name="[bold]Spring"),
            a_discount("d", "SAVE"),
            an_order("1", discounts=[{"code": "save", "amount": "2"}], total_order_price="9.50"),
            a_command("campaign.pause", **pause),
        )
    )
    monkeypatch.setenv("DATABASE_URL", database_url)
    return "demo-shop"


def test_campaigns_list_names_each_with_its_state(run: Run, shop: str) -> None:
    result = run("campaigns", "list", shop)
    rows = [
        json.loads(line) for line in run("campaigns", "list", shop, "--json").stdout.splitlines()
    ]

    assert result.stdout.splitlines()[-1] == f"campaigns: shop={shop} shown=2"
    assert "[bold]Spring" in result.stdout
    assert [(row["kind"], row["id"], row["state"]) for row in rows] == [
        ("campaign", "spring", "paused"),
        ("discount", "d", "active"),
    ]


def test_campaigns_show_lists_every_version(run: Run, shop: str) -> None:
    lines = run("campaigns", "show", shop, "spring").stdout.splitlines()

    assert lines[0] == "campaign spring of demo-shop, paused"
    assert "since 2026-02-01 00:00:00Z upsert: name [bold]Spring, segment vip" in lines[1]
    assert "enabled yes, start_date 2026-02-01 00:00:00Z" in lines[1]
    assert lines[-1].strip() == "since 2026-02-25 00:00:00Z pause"


def test_order_says_which_campaign_it_shows_and_which_contact_is_credited(
    run: Run, shop: str
) -> None:
    shown = run("order", f"{shop}/1").stdout
    asked = json.loads(run("order", f"{shop}/1", "--json").stdout)

    assert "campaign spring by only_match for segment 'vip', discount d; placement" in shown
    assert "credited: campaign spring by discount with 9.50 EUR (version 1)" in shown
    assert "contact discount: spring with code save" in shown
    assert asked["campaign"]["campaign_id"] == "spring"
    assert asked["attribution"]["credit"]["revenue"] == "9.50"


def test_republish_of_campaigns_publishes_a_snapshot_of_each(run: Run, shop: str) -> None:
    tried = run("republish", "--campaigns", "--all", "--dry-run")
    done = run("republish", "--campaigns", "--shop", shop, "--why", "index lost", "--by", "ada")

    assert tried.stdout.splitlines()[-1] == "republish: campaigns=2 dry_run=yes"
    assert "republish: campaigns=2 complete=yes" in done.stdout.splitlines()[-1]


def test_republish_of_campaigns_refuses_other_choices(run: Run, shop: str) -> None:
    wrong = ["--since", "2h"], ["--order", "s/1", "--shop", "s"], []
    for options in wrong:
        refused = run("republish", "--campaigns", *options, "--why", "x")
        assert refused.exit_code == 2, refused.output


def test_recall_raises_the_numbers_of_campaigns_above_those_published(
    run: Run,
    topics: None,
    shop: str,
    database_url: str,
    kafka_bootstrap_servers: str,
    topic_prefix: str,
) -> None:
    """`other-shop` lost its whole book: its next command reaches the orders that are stored."""

    async def publish() -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap_servers) as producer:
            for named, sequence in ((shop, 9), ("other-shop", 4), ("other-shop", 2)):
                event = {
                    "shop_slug": named,
                    "sequence": sequence,
                    "event_id": str(UUID(int=sequence << 64)),
                }
                body = json.dumps(event).encode()
                await producer.send_and_wait(topic_prefix + CAMPAIGNS_EVENTS, body, named.encode())

    async def stored(statement: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()

    asyncio.run(publish())
    tried = run("recall", "--dry-run").stdout
    done = [run("recall", "--why", "restored", "--by", "ada").stdout for _ in range(2)]
    later = {"campaign_id": "spring", "effective_at": "2026-02-26T00:00:00Z"}
    remove = a_command("campaign.remove", **later)
    asyncio.run(_apply(database_url, remove, a_campaign("first", shop="other-shop")))

    assert tried == "recall: orders=0 events=0 shops=2 campaign_events=3 dry_run=yes\n"
    found = [line.split()[-2:] for line in done]
    # The lost book has no row that could be raised: what was published of it is found again.
    assert found == [["shops=2", "campaign_events=3"], ["shops=1", "campaign_events=2"]]
    books = asyncio.run(stored("SELECT shop, sequence FROM orders.campaign_book ORDER BY shop"))
    assert [tuple(row) for row in books] == [("demo-shop", 10), ("other-shop", 5)]
    whole = "SELECT shop FROM orders.campaign_review WHERE since IS NULL"
    assert "other-shop" in [row["shop"] for row in asyncio.run(stored(whole))]
