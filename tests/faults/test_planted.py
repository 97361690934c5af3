"""The checker proven: bugs planted one at a time are caught, each for what it is."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from chaos import plan
from chaos.campaign import Result, Wanted, play
from chaos.planted import PLANTS, Plant
from chaos.stage import Ground, grounded

pytestmark = [
    pytest.mark.stack,
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]
SEED = 12
"""Draws poison with something behind it in its first round."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """Servers and a nursery for all of them; each has an installation of its own."""
    async with grounded(tmp_path_factory.mktemp("planted")) as ground:
        yield ground


async def played(ground: Ground, folder: Path, plant: Plant, *plants: str) -> Result:
    """A short campaign under the faults of a plant."""
    wanted = Wanted(
        seed=SEED,
        rounds=plant.rounds,
        reports=folder,
        publication=plant.publication,
        plants=plants,
        faults=(plant.faults,) * plant.rounds,
        environment=plant.environment,
    )
    return await play(ground, folder, wanted, print)


def texts_of(result: Result) -> list[str]:
    """All that was found, as text."""
    return [*map(str, result.findings.all), *result.findings.repeats_examples]


@pytest.mark.parametrize("name", PLANTS)
async def test_planted_bug_is_caught_as_what_it_is(
    ground: Ground, tmp_path: Path, name: str
) -> None:
    plant = PLANTS[name]

    result = await played(ground, tmp_path, plant, name)

    assert result.findings.counts[plant.caught_as] > 0, result.last_line
    assert any(re.match(plant.finding, text) for text in texts_of(result)), texts_of(result)
    assert not result.is_clean
    assert result.never_called == [], "the finding is not proven to be of this bug"
    # A plant that only stops the service proves nothing.
    assert not [text for text in texts_of(result) if "stuck" in text or "unready" in text]


async def test_faults_of_planted_bugs_without_a_bug_find_nothing(
    ground: Ground, tmp_path: Path
) -> None:
    """At least once; test_campaign.py plays those of exactly once."""
    plants = [plant for plant in PLANTS.values() if plant.publication == "at_least_once"]
    faults = {fault for plant in plants for fault in plant.faults}
    of_webhooks = {
        fault
        for fault in faults
        if fault.kind == plan.RECEIVERS or fault.target.startswith(plan.DELIVERIES)
    }
    kinds = ({plan.KILL_AT}, {plan.FREEZE_AT, plan.REPLACE_AT}, {plan.GAP, plan.LOCK_TABLE})
    rounds = [[each for each in faults - of_webhooks if each.kind in some] for some in kinds]
    rounds.append(list(of_webhooks))
    wanted = Wanted(seed=SEED, rounds=len(rounds), reports=tmp_path, faults=rounds)

    result = await play(ground, tmp_path, wanted, print)

    assert result.is_clean, texts_of(result)
    assert result.campaign.kills >= 3
