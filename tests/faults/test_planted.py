"""The checker proven: bugs planted one at a time are caught, each for what it is."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.campaign import plan
from tests.faults.campaign.campaign import Result, Wanted, play
from tests.faults.campaign.planted import PLANTS, Plant
from tests.faults.campaign.stage import Ground, grounded

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
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


def told(result: Result) -> list[str]:
    """All that was found, as text."""
    return [*map(str, result.findings.all), *result.findings.repeats_examples]


@pytest.mark.parametrize("name", PLANTS)
async def test_a_planted_bug_is_caught_for_what_it_is(
    ground: Ground, tmp_path: Path, name: str
) -> None:
    plant = PLANTS[name]

    result = await played(ground, tmp_path, plant, name)

    assert result.findings.counts[plant.caught_as] > 0, result.last_line
    assert any(re.match(plant.finding, text) for text in told(result)), told(result)
    assert not result.is_clean
    # A plant that only stops the service proves nothing.
    assert not [text for text in told(result) if "stuck" in text or "unready" in text]


@pytest.mark.parametrize("publication", ["at_least_once", "exactly_once"])
async def test_the_same_faults_without_a_bug_show_nothing(
    ground: Ground, tmp_path: Path, publication: str
) -> None:
    plants = [plant for plant in PLANTS.values() if plant.publication == publication]
    faults = {fault for plant in plants for fault in plant.faults}
    kinds = ({plan.KILL_AT}, {plan.FREEZE_AT}, {plan.GAP, plan.LOCK_TABLE, plan.DELAY})
    rounds = [each for some in kinds if (each := [one for one in faults if one.kind in some])]
    wanted = Wanted(
        seed=SEED,
        rounds=len(rounds),
        reports=tmp_path,
        publication=publication,
        faults=rounds,
        environment=max((plant.environment for plant in plants), key=len),
    )

    result = await play(ground, tmp_path, wanted, print)

    assert result.is_clean, told(result)
    assert result.campaign.kills >= 3
