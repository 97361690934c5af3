"""How many items a lap needs to last as long as it should, reckoned from a lap of few."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.contenders import OURS
from bench.lap import WARM_SHARE
from bench.race import Participant, Seen, Track, Traffic

# A lap of few is slower than a long one, and the machine is not always as fast.
MARGIN = 1.3
# What each replica more takes until the group is stable; nothing is counted before.
JOIN_SECONDS = 4.0
TRIAL_BYTES = 20_000_000
MOST_BYTES = 150_000_000
"""Of commands in one lap: a tape has about eight times as much, and is held in memory."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a lap lasts at least, and the items of a lap that only finds the rate."""

    seconds: float
    trial_items: int
    most_items: int


async def rates_of(
    track: Track, traffic: Traffic, participants: Sequence[Participant], seen: Seen
) -> dict[str, float]:
    """Items a second by contender, from a lap of each that counts for nothing else.

    Ours comes last: the first lap on fresh servers is slow, and ours has had one for the tape.
    """
    rates = {}
    for participant in sorted(participants, key=lambda each: each.contender is OURS):
        [lap] = await track.race(traffic, [participant], 1, seen)
        rates[participant.contender.name] = lap.items_per_s
    return rates


def paced(
    participants: Sequence[Participant], rates: Mapping[str, float], traffic: Traffic, pace: Pace
) -> list[Participant]:
    """The participants, each with the items its contender's rate needs."""
    return [
        replace(each, items=items(rates[each.contender.name], each.replicas, traffic, pace))
        for each in participants
    ]


async def paced_by_ours(
    track: Track, traffic: Traffic, participants: Sequence[Participant], pace: Pace
) -> list[Participant]:
    """The participants, all with as many items as ours (the first of them) needs."""
    few = min(pace.trial_items, TRIAL_BYTES // traffic.value_bytes)
    [lap] = await track.race(traffic, [replace(participants[0], items=few, stored=0)], 1)
    needed = max(few, items(lap.items_per_s, 1, traffic, pace))
    return [replace(each, items=needed) for each in participants]


def items(rate: float, replicas: int, traffic: Traffic, pace: Pace) -> int:
    """Items for `pace.seconds` at `rate` items a second and replica, within what memory takes."""
    speed = rate * min(replicas, os.cpu_count() or 1)
    counted = speed * pace.seconds * MARGIN / (1 - WARM_SHARE)
    joining = rate * JOIN_SECONDS * (replicas - 1)
    return min(math.ceil(counted + joining), pace.most_items, MOST_BYTES // traffic.value_bytes)
