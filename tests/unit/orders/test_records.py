"""Records that leave, spliced from parts that are encoded once, are those of a plain encoder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from bench.traffic import MIXES, mix
from demo.synthetic import synthetic_script
from schemas.example_files import load_examples
from services.orders.messages.decode import COMMANDS, TRACKING
from services.runtime.messages.headers import read_headers
from services.runtime.messages.records import Coordinates, Original
from tests.unit.orders.plain_encoder import pairs_of

NOW = datetime(2026, 3, 5, 9, 3, tzinfo=UTC)
Sent = tuple[str, bytes | None, Iterable[tuple[str, bytes]], bytes | None]
"""Topic, key, headers, value."""


def originals_of(sent: Iterable[Sent]) -> list[Original]:
    """Messages as they arrive, commands first: scans that come before their parcel wait."""
    in_turn = sorted(sent, key=lambda message: message[0] != COMMANDS)
    return [
        Original(Coordinates(topic, 0, offset), key, tuple(headers), value, NOW)
        for offset, (topic, key, headers, value) in enumerate(in_turn)
        if topic in (COMMANDS, TRACKING)
    ]


def the_bench(name: str) -> list[Sent]:
    """Messages of one of the benchmark's mixes, with what must have come before them."""
    made = mix(name, 60 if name != "bulk" else 200)
    return [(each.topic, each.key, each.headers, each.value) for each in made.before + made.letters]


def the_examples() -> list[Sent]:
    """The contract's examples; placements before what names their orders."""
    examples = sorted(load_examples(), key=lambda e: e.type not in {"order.place", "order.upsert"})
    return [
        (each.topic, each.key.encode(), each.kafka_headers(), json.dumps(each.value).encode())
        for each in examples
    ]


def the_demo() -> list[Sent]:
    """A tenth of the shop that `make demo` plays."""
    script = synthetic_script(seed=5, scale=0.1)
    return [(each.topic, each.key, each.headers, each.value) for each in script.messages]


SOURCES = {
    **{f"bench {name}": (lambda name=name: the_bench(name)) for name in MIXES},
    "examples": the_examples,
    "demo": the_demo,
}


def in_order(value: bytes) -> object:
    """A JSON document with the order of its members, fractions spelled as they came."""
    return json.loads(value, object_pairs_hook=list, parse_float=str)


def members_of(value: object) -> object:
    """The same of what the plain encoder gives."""
    if isinstance(value, dict):
        return [(name, members_of(member)) for name, member in value.items()]
    return [members_of(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("source", SOURCES)
def test_records_are_those_of_a_plain_encoder(source: str) -> None:
    compared = 0
    for found, expected in pairs_of(originals_of(SOURCES[source]()), NOW):
        assert (found.topic, found.key, found.shard_by) == (
            expected.topic,
            expected.key,
            expected.shard_by,
        )
        assert read_headers(found.headers) == expected.headers
        assert in_order(found.value) == members_of(expected.value)
        compared += 1

    assert compared > 50
