"""What is contract beside the schemas: which changes of topics, ids and words break whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.gate.breaks import Direction, Rule
from schemas.gate.contract import Json

GONE = "(gone)"


@dataclass(frozen=True, slots=True)
class Change:
    """A change that breaks."""

    subject: str
    rule: Rule
    fact: str
    direction: Direction


NO_GROUP = " / none"
"""The end of an event name's meaning where the event has no notification group."""


def changes(released: Json, today: Json) -> Iterator[Change]:
    """Where today's surface is not a released one with additions."""
    for name, topic in released["topics"].items():
        yield from _topic(name, topic, today["topics"].get(name))
    lists = (("ids", Rule.ID), ("event_names", Rule.EVENT_NAME), ("reasons", Rule.REASON))
    for part, rule in lists:
        for name, meaning in released[part].items():
            yield from _word(name, meaning, today[part].get(name, GONE), rule)
    for outcome in set(released["outcomes"]) - set(today["outcomes"]):
        yield from _word(outcome, "an outcome", GONE, Rule.REASON)
    for outcome in set(today["outcomes"]) - set(released["outcomes"]):
        # The only list of words that is documented to subscribers as complete.
        fact = f"the outcome `{outcome}` is added, and the list of outcomes is closed"
        yield Change("orders.outcomes", Rule.WORDS, fact, Direction.WRITE)


def _topic(name: str, released: Json, today: Json | None) -> Iterator[Change]:
    direction = Direction.READ if released["incoming"] else Direction.WRITE
    if today is None:
        yield Change(name, Rule.TOPIC, "the topic is gone", direction)
        return
    for type_ in released["types"]:
        if type_ not in today["types"]:
            yield Change(type_, Rule.TOPIC, f"it is no longer on the topic {name}", direction)
    for part in ("key", "incoming", "partitions", "cleanup_policy"):
        if released[part] != today[part]:
            fact = f"{part}: {released[part]!r} became {today[part]!r}"
            yield Change(name, Rule.TOPIC, fact, direction)
    yield from _sizes(name, released, today, direction)


def _sizes(name: str, released: Json, today: Json, direction: Direction) -> Iterator[Change]:
    old, new = released["max_message_bytes"], today["max_message_bytes"]
    if (new < old) if direction is Direction.READ else (new > old):
        fact = f"messages of {new} bytes instead of {old} are the largest"
        yield Change(name, Rule.TOPIC, fact, direction)
    old, new = released["retention_ms"], today["retention_ms"]
    if new < old and direction is Direction.WRITE:
        yield Change(name, Rule.TOPIC, f"kept {new} ms instead of {old}", direction)


def _word(name: str, before: str, now: str, rule: Rule) -> Iterator[Change]:
    if before == now or (rule is Rule.EVENT_NAME and _gains_group(before, now)):
        return
    # A name of the catalogue that is gone breaks carriers that send it; all else, who reads.
    sent = rule is Rule.EVENT_NAME and now == GONE
    direction = Direction.READ if sent else Direction.WRITE
    yield Change(name, rule, f"{before!r} became {now!r}", direction)


def _gains_group(before: str, now: str) -> bool:
    """Whether a name that had no group has one now, in the same phase: an addition for readers."""
    return before.endswith(NO_GROUP) and now.startswith(before.removesuffix(NO_GROUP) + " / ")
