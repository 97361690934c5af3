"""The benchmark's traffic: the same for every contender, of the size asked for, and readable."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from bench.traffic import MIXES, mix
from schemas import campaigns, commands, tracking

MODELS = {**commands.MODELS, **campaigns.MODELS, **tracking.MODELS}
COUNT = 120
DIGEST = """
import hashlib
from bench.traffic import MIXES, mix
mixes = repr([mix(name, 120, seed=7) for name in MIXES])
print(hashlib.sha256(mixes.encode()).hexdigest())
"""


def type_of(letter):
    return dict(letter.headers)["ce_type"].decode()


def all_letters(made):
    return [*made.before, *made.letters]


@pytest.mark.parametrize("name", MIXES)
def test_seed_gives_the_same_bytes_and_shares_none_with_another(name):
    again = mix(name, COUNT, seed=7)
    other = mix(name, COUNT, seed=8)

    assert mix(name, COUNT, seed=7) == again
    assert not {each.key for each in all_letters(again)} & {each.key for each in all_letters(other)}


def test_seed_gives_the_same_bytes_in_another_process():
    def digest(hash_seed):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        asked = [sys.executable, "-c", DIGEST]
        return subprocess.run(asked, env=environment, check=True, capture_output=True).stdout

    assert digest("1") == digest("2") != b""


@pytest.mark.parametrize("value_bytes", [500, 700, 2_000, 20_000])
def test_placement_has_the_wanted_size(value_bytes):
    placed = [
        letter
        for name in ("upserts", "day")
        for letter in all_letters(mix(name, COUNT, value_bytes=value_bytes))
        if b'"order":{' in letter.value
    ]

    assert len(placed) > COUNT
    for letter in placed:
        assert abs(len(letter.value) - value_bytes) <= value_bytes / 10


def test_placement_too_small_for_an_order_is_refused_with_the_least_size():
    with pytest.raises(ValueError, match=r"has no room: ask for [0-9]+ more"):
        mix("upserts", 1, value_bytes=100)


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("value_bytes", [500, 700, 20_000])
def test_messages_keep_the_contract(name, value_bytes):
    for letter in all_letters(mix(name, COUNT, value_bytes=value_bytes)):
        body = json.loads(letter.value)
        read = MODELS[type_of(letter)].model_validate(body)
        for item in getattr(read, "items", ()):
            commands.BulkFulfillment.model_validate(item)


@pytest.mark.parametrize("name", MIXES)
def test_messages_have_distinct_ids(name):
    ids = Counter(dict(each.headers)["ce_id"] for each in all_letters(mix(name, COUNT)))

    assert max(ids.values()) == 1


def test_day_mix_is_mostly_scans():
    shares = Counter(map(type_of, mix("day", 10_000).letters))

    placed = shares["order.place"] + shares["order.upsert"] - 1_500  # The rest are fulfilments.
    assert shares["tracking.reported"] == pytest.approx(6_000, rel=0.05)
    assert placed == pytest.approx(2_000, rel=0.05)
    assert shares["order.update"] + shares["order.cancel"] == pytest.approx(500, rel=0.1)


def test_bulk_message_holds_a_thousand_items():
    made = mix("bulk", 2_500)

    assert [len(json.loads(each.value)["items"]) for each in made.letters] == [1_000, 1_000, 500]
    assert [each.outcomes for each in made.letters] == [1_000, 1_000, 500]


def test_unknown_mix_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="take one of upserts, updates, "):
        mix("returns", 1)
