"""The benchmark's counts are true: the outcomes and events it counts can be read, once each."""

import dataclasses
from collections import Counter

import pytest

from bench import lap
from bench.contenders import CEILING, CEILINGS, OURS, TEXTBOOK
from bench.progress import EVENTS
from bench.race import Participant, Track, Traffic
from bench.traffic import mix
from demo.journal import read_all
from schemas.topics import ORDERS_OUTCOMES

MESSAGES = 3_000
FEW = 200
"""For what takes one message at a time."""
LARGE = 4_000
"""Of 20 KB."""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def track(stack, tmp_path):
    return Track(stack, {}, tmp_path, print)


def ids_of(letters):
    return [dict(letter.headers)["ce_id"].decode() for letter in letters]


def causes_of(entries):
    return Counter(entry.headers["ce_causationid"] for entry in entries)


@pytest.mark.long
@pytest.mark.parametrize("name", ["upserts", "bulk", "day"])
async def test_lap_counts_an_answer_for_every_command_and_reads_every_event(name, track):
    asked = mix(name, MESSAGES)
    async with track.ground() as ground:
        done = await lap.run(OURS, ground, asked)
        installation = ground.installation
        read = await read_all(installation.options, installation.prefix, (*EVENTS, ORDERS_OUTCOMES))

    answered = causes_of(read[ORDERS_OUTCOMES])
    measured = ids_of(asked.letters)
    outcomes = dict(zip(measured, (letter.outcomes for letter in asked.letters), strict=True))
    assert {id_: answered[id_] for id_ in measured} == outcomes
    assert done.outcomes == sum(outcomes.values())
    events = [entry for topic in EVENTS for entry in read[topic]]
    by_cause = causes_of(events)
    assert done.events == sum(by_cause[id_] for id_ in measured)
    assert len({entry.id for entry in events}) == len(events)


@pytest.mark.long
async def test_lap_of_textbook_counts_committed_records(track):
    asked = mix("upserts", FEW)
    async with track.ground() as ground:
        done = await lap.run(TEXTBOOK, ground, asked)
        installation = ground.installation
        read = await read_all(installation.options, installation.prefix, (*EVENTS, ORDERS_OUTCOMES))

    assert causes_of(read[ORDERS_OUTCOMES]) == Counter(ids_of(asked.letters))
    assert done.outcomes == FEW
    assert causes_of(read["orders.events"]) == Counter(ids_of(asked.letters))


@pytest.mark.long
@pytest.mark.parametrize("name", ["upserts", "fulfilments"])
async def test_ceilings_publish_what_ours_did(name, track):
    traffic = Traffic(name)
    published = {}

    async def read_events(contender, installation, made):
        read = await read_all(installation.options, installation.prefix, (*EVENTS, ORDERS_OUTCOMES))
        published[contender.name] = Counter(
            (topic, entry.key, entry.value, tuple(sorted(entry.headers.items())))
            for topic, entries in read.items()
            for entry in entries
        )

    entrants = [Participant(each, MESSAGES) for each in (OURS, *CEILINGS)]
    ours, *ceilings = await track.race(traffic, entrants, 1, read_events)

    assert ours.outcomes == MESSAGES
    assert ours.events >= MESSAGES
    for lap_ in ceilings:
        assert (lap_.outcomes, lap_.events) == (ours.outcomes, ours.events)
    first, second = (published[each.name] for each in CEILINGS)
    assert first == second
    assert {topic for topic, *_ in first} >= {"orders.events", "orders.outcomes"}


@pytest.mark.long
async def test_ceiling_repeats_the_effects_of_the_bytes_it_reads(track):
    sizes = {}

    async def weigh(contender, installation, made):
        read = await read_all(installation.options, installation.prefix, ["orders.events"])
        events = read["orders.events"]
        sizes[contender.name, len(made.letters[0].value)] = sum(
            len(entry.value) for entry in events
        ) / len(events)

    for value_bytes in (700, 20_000):
        traffic = Traffic("upserts", value_bytes=value_bytes)
        await track.race(traffic, [Participant(OURS, LARGE), Participant(CEILING, LARGE)], 1, weigh)

    (small_ours, small), (large_ours, large) = (
        [size for (_, weight), size in sizes.items() if (weight > 10_000) is is_large]
        for is_large in (False, True)
    )
    assert small == pytest.approx(small_ours, rel=0.05)
    assert large == pytest.approx(large_ours, rel=0.05)
    assert large > 5 * small


@pytest.mark.long
async def test_lap_fails_when_an_answer_is_missing(track, monkeypatch):
    monkeypatch.setattr(lap, "STANDSTILL_SECONDS", 5.0)
    asked = mix("upserts", MESSAGES)
    one_more = dataclasses.replace(asked.letters[0], outcomes=2)
    unanswerable = dataclasses.replace(asked, letters=(one_more, *asked.letters[1:]))

    async with track.ground() as ground:
        with pytest.raises(lap.StoodStill, match=f"outcomes={MESSAGES}"):
            await lap.run(OURS, ground, unanswerable)


@pytest.mark.long
async def test_lap_fails_on_an_answer_too_many(track):
    asked = mix("upserts", MESSAGES)
    silent = dataclasses.replace(asked.letters[0], outcomes=0)
    overanswered = dataclasses.replace(asked, letters=(silent, *asked.letters[1:]))

    async with track.ground() as ground:
        with pytest.raises(AssertionError, match=f"{MESSAGES} answers for {MESSAGES - 1}"):
            await lap.run(OURS, ground, overanswered)


@pytest.mark.long
async def test_race_runs_on_a_database_that_holds_orders(track):
    laps = await track.race(Traffic("updates"), [Participant(OURS, MESSAGES, stored=10_000)], 1)

    assert [done.stored for done in laps] == [10_000]
