"""A script: messages in the order of business time, and the right answer for all of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from demo.expectation import Expectation
from schemas.topics import CLAIMS_COMMANDS

CLAIM_ID = "{the claim's id}"


@dataclass(frozen=True, slots=True)
class ScriptMessage:
    """One record to publish.

    `at` is business time. Messages of one `order_key` keep their order however they are played;
    None is free. `is_answered_later` marks what has no answer until another message came: tracking
    before its order, a command before its order. What `is_for_unknown` waits for never comes: a
    command is refused when its time is over, tracking goes on waiting. `claim_opened_by` is the id
    of the message that opened the claim this one is about: the claim's own id takes the place of
    CLAIM_ID in the value. What `is_answered_in_time` may wait for ever where it comes in another
    order: a scan of a number that is taken off later.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    at: datetime
    headers: tuple[tuple[str, bytes], ...] = ()
    order_key: str | None = None
    is_answered_later: bool = False
    is_for_unknown: bool = False
    claim_opened_by: str | None = None
    is_answered_in_time: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """What is played and what must come of it. `notes` are printed before the last line."""

    name: str
    messages: tuple[ScriptMessage, ...]
    expectation: Expectation
    notes: tuple[str, ...] = ()

    @property
    def ends_at(self) -> datetime:
        """Business time of the last message."""
        return max(message.at for message in self.messages)

    def twice(self) -> Script:
        """The same input sent twice, byte for byte; the state must be the same."""
        return replace(self, name=f"{self.name} twice", messages=self.messages * 2)

    def shuffled(self, seed: int) -> Script:
        """Scans in any order, commands across orders in any order, claims after both.

        A claim speaks of what has happened already, so it is played when everything else is done.
        """
        rng = random.Random(seed)
        claims = [message for message in self.messages if message.topic == CLAIMS_COMMANDS]
        others = [message for message in self.messages if message.topic != CLAIMS_COMMANDS]
        mixed = (*interleave(others, rng), *interleave(claims, rng))
        return replace(self, name=f"{self.name} shuffled by {seed}", messages=mixed)


def in_time(messages: Iterable[ScriptMessage]) -> tuple[ScriptMessage, ...]:
    """Sort by business time; equal times keep their order."""
    return tuple(sorted(messages, key=lambda message: message.at))


def interleave(messages: Sequence[ScriptMessage], rng: random.Random) -> list[ScriptMessage]:
    """Shuffle messages, keeping the order within each `order_key`."""
    by_key: dict[object, list[ScriptMessage]] = defaultdict(list)
    for position, message in enumerate(messages):
        by_key[message.order_key or position].append(message)
    turns = [order_key for order_key, queue in by_key.items() for _ in queue]
    rng.shuffle(turns)
    queues = {order_key: iter(queue) for order_key, queue in by_key.items()}
    return [next(queues[order_key]) for order_key in turns]


def repeated(messages: Sequence[ScriptMessage], every: int) -> list[ScriptMessage]:
    """The messages with each `every`-th sent twice, as a producer does that saw no answer."""
    copies = [[message] * (2 if at % every == 0 else 1) for at, message in enumerate(messages)]
    return [message for group in copies for message in group]


def answered_later(message: ScriptMessage) -> ScriptMessage:
    """Mark a message that waits for another one."""
    return replace(message, is_answered_later=True)


def answered_in_time(message: ScriptMessage) -> ScriptMessage:
    """Mark a scan of a number that is taken off later."""
    return replace(message, is_answered_in_time=True)


def for_ever(message: ScriptMessage) -> ScriptMessage:
    """Mark a message that waits for what never comes."""
    return replace(message, is_for_unknown=True)
