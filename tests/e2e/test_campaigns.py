"""Shops with campaigns: every choice, credit and sum is as computed apart from the services.

Played in the order of time, and shuffled with everything twice; with kills by `make proof`.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import cycle

import pytest

from demo.audit import judge
from demo.campaigns.findings import differing_campaigns
from demo.campaigns.report import differing_arms, differing_report
from demo.campaigns.shop import CampaignPlay, CampaignTruth, campaign_play
from demo.replicas import start_all
from deploy.stack import Addresses
from schemas.topics import ORDERS_EVENTS
from tests.e2e.aftermath import (
    SNAPSHOT,
    WHY,
    Journal,
    facts_alone,
    orderflow,
    read_journal,
    until_reviewed,
)
from tests.processes import ANSWER_SECONDS, System, running

pytestmark = pytest.mark.timeout(300)

SERVICES = ("orders", "analytics")
SEED = 20
KILLS_EVERY = 600
SHOWN = 20


@pytest.fixture(scope="module")
def play() -> CampaignPlay:
    return campaign_play(SEED, orders=160)


@pytest.fixture
async def system(
    stack: Addresses, play: CampaignPlay, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("campaigns")
    at = play.script.messages[0].at
    async with running(stack, folder, copies=1, at=at, only=SERVICES) as system:
        system.player.step = timedelta(days=4)
        yield system


async def test_campaigns_in_order_are_as_computed_apart(system: System, play: CampaignPlay) -> None:
    await system.player.play(play.script)

    await judge_campaigns(system, play.truth)


@pytest.mark.long
async def test_campaigns_shuffled_are_as_computed_apart_before_and_after_parcels(
    system: System, play: CampaignPlay
) -> None:
    """Orders in any order between each other and beside the campaigns; in the end all again."""
    placed, parcels = play.parts()

    await system.player.play_at_once(placed.shuffled(SEED))
    await judge_campaigns(system, play.truth_before_parcels)
    await system.player.play_at_once(parcels.shuffled(SEED))
    await judge_campaigns(system, play.truth)
    await system.player.play_at_once(replace(play.script, messages=play.accepted(play.script)))
    await judge_campaigns(system, play.truth)


@pytest.mark.long
@pytest.mark.timeout(880)
@pytest.mark.parametrize("seed", [1, 2])
async def test_campaigns_with_kills_are_as_computed_apart(
    stack: Addresses, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Orders and analytics are killed in turns while everything comes shuffled and twice."""
    play = campaign_play(seed)
    folder = tmp_path_factory.mktemp("campaigns")
    at = play.script.ends_at
    async with running(stack, folder, copies=1, at=at, only=SERVICES) as system:
        victims = cycle(system.replicas)

        async def kill() -> None:
            victim = next(victims)
            victim.kill()
            await asyncio.to_thread(start_all, [victim])

        system.player.chunk, system.player.between = KILLS_EVERY, kill
        await system.player.play_at_once(play.again(play.script.shuffled(seed)))

        await judge_campaigns(system, play.truth)


async def judge_campaigns(system: System, truth: CampaignTruth) -> None:
    """Compare topics and report with the truth, once no review of orders is left.

    Raises:
        AssertionError: with what is wrong.
    """
    await until_reviewed(system, SERVICES)
    journal = await journal_with_states(system, len(truth.orders))
    found = judge(facts_alone(journal))
    wrong = [*found.problems, *differing_campaigns(truth, journal, found)]
    printed = {
        shop: await orderflow(system, "report", "campaigns", "--shop", shop, "--format", "json")
        for shop in truth.shops
    }
    wrong += differing_report(truth, printed)
    wrong += differing_arms(truth, await orderflow(system, "report", "tests", "--format", "json"))
    assert not wrong, "\n".join([f"{len(wrong)} differences", *wrong[:SHOWN]])


async def journal_with_states(system: System, orders: int) -> Journal:
    """All topics, after the state of every order was published.

    Raises:
        TimeoutError: not all of them were.
    """
    wanted = orders + snapshots_in(await read_journal(system))
    await orderflow(system, "republish", "--all", *WHY)
    async with asyncio.timeout(ANSWER_SECONDS):
        while snapshots_in(journal := await read_journal(system)) < wanted:
            await asyncio.sleep(0.1)
    return journal


def snapshots_in(journal: Journal) -> int:
    """How many states of orders were published."""
    return sum(each.headers["ce_type"] == SNAPSHOT for each in journal[ORDERS_EVENTS])
