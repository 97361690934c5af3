"""The benchmark measures work that is done: each of its commands changes something."""

from collections import Counter

import pytest

from bench.traffic import MIXES, mix
from services.runtime.messages.records import Coordinates, Original
from tests.integration.orders.conftest import NOW

COUNT = 120
SCANS = {"scans_new": COUNT, "scans_shuffled": COUNT, "scans_repeated": COUNT // 5}


def originals(letters, start):
    return [
        Original(Coordinates(each.topic, 0, offset), each.key, each.headers, each.value, NOW)
        for offset, each in enumerate(letters, start)
    ]


def caused_by(letters, published):
    """The records of `published` that these letters caused."""
    ids = {dict(each.headers)["ce_id"] for each in letters}
    return [record for record in published if record[1]["ce_causationid"] in ids]


@pytest.mark.parametrize("name", MIXES)
async def test_every_command_of_a_mix_is_applied_and_has_its_outcomes(name, apply, published):
    made = mix(name, COUNT)
    if made.before:
        await apply(*originals(made.before, 0))
    await apply(*originals(made.letters, len(made.before)))

    caused = caused_by(made.letters, await published())

    outcomes = [body["outcome"] for topic, _, body in caused if topic == "orders.outcomes"]
    assert outcomes == ["applied"] * sum(each.outcomes for each in made.letters)
    events = Counter(headers["ce_type"] for topic, headers, _ in caused if "events" in topic)
    assert events[b"shipment.scanned"] == SCANS.get(name, scans_of(made.letters))


def scans_of(letters):
    return sum(each.topic == "carrier.tracking" for each in letters)
