"""The benchmark's counts are true: what it says was answered and told can be read, once each."""

import dataclasses
from collections import Counter
from functools import partial

import pytest

from demo.journal import read_all
from tests.bench import lap
from tests.bench.contenders import CEILING, OURS, TEXTBOOK
from tests.bench.probe import EVENTS, OUTCOMES
from tests.bench.race import Entrant, Track
from tests.bench.traffic import mix

MESSAGES = 3_000
FEW = 200
"""For what takes one message at a time."""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def track(stack, tmp_path):
    return Track(stack, {}, tmp_path, print)


def ids_of(letters):
    return [dict(letter.headers)["ce_id"].decode() for letter in letters]


def causes_of(entries):
    return Counter(entry.headers["ce_causationid"] for entry in entries)


@pytest.mark.parametrize(
    "name", ["upserts", *(pytest.param(name, marks=pytest.mark.long) for name in ("bulk", "day"))]
)
async def test_every_command_is_answered_and_every_event_can_be_read(name, track):
    asked = mix(name, MESSAGES)
    async with track.ground() as ground:
        done = await lap.run(OURS, ground, asked)
        installation = ground.installation
        told = await read_all(installation.options, installation.prefix, (*EVENTS, OUTCOMES))

    answered = causes_of(told[OUTCOMES])
    measured = ids_of(asked.letters)
    outcomes = dict(zip(measured, (letter.outcomes for letter in asked.letters), strict=True))
    assert {id_: answered[id_] for id_ in measured} == outcomes
    assert done.outcomes == sum(outcomes.values())
    events = [entry for topic in EVENTS for entry in told[topic]]
    by_cause = causes_of(events)
    assert done.events == sum(by_cause[id_] for id_ in measured)
    assert len({entry.id for entry in events}) == len(events)


@pytest.mark.long
async def test_textbook_is_counted_as_it_can_be_read(track):
    asked = mix("upserts", FEW)
    async with track.ground() as ground:
        done = await lap.run(TEXTBOOK, ground, asked)
        installation = ground.installation
        told = await read_all(installation.options, installation.prefix, (*EVENTS, OUTCOMES))

    assert causes_of(told[OUTCOMES]) == Counter(ids_of(asked.letters))
    assert done.outcomes == FEW
    assert causes_of(told["orders.events"]) == Counter(ids_of(asked.letters))


@pytest.mark.long
@pytest.mark.parametrize("name", ["upserts", "fulfilments"])
async def test_the_ceiling_publishes_what_ours_did(name, track):
    entrants = [Entrant(OURS, MESSAGES), Entrant(CEILING, MESSAGES)]

    ours, ceiling = await track.race(partial(mix, name), entrants, 1)

    assert (ceiling.outcomes, ceiling.events) == (ours.outcomes, ours.events)
    assert ours.outcomes == MESSAGES
    assert ours.events >= MESSAGES


@pytest.mark.long
async def test_an_answer_that_does_not_come_fails_the_lap(track, monkeypatch):
    monkeypatch.setattr(lap, "STANDSTILL_SECONDS", 5.0)
    asked = mix("upserts", MESSAGES)
    one_more = dataclasses.replace(asked.letters[0], outcomes=2)
    unanswerable = dataclasses.replace(asked, letters=(one_more, *asked.letters[1:]))

    async with track.ground() as ground:
        with pytest.raises(lap.StoodStill, match=f"outcomes={MESSAGES}"):
            await lap.run(OURS, ground, unanswerable)


async def test_an_answer_too_many_fails_the_lap(track):
    asked = mix("upserts", MESSAGES)
    silent = dataclasses.replace(asked.letters[0], outcomes=0)
    overanswered = dataclasses.replace(asked, letters=(silent, *asked.letters[1:]))

    async with track.ground() as ground:
        with pytest.raises(AssertionError, match=f"{MESSAGES} answers for {MESSAGES - 1}"):
            await lap.run(OURS, ground, overanswered)
