"""Which events a destination gets.

The form of the filters is that of Karla's webhooks (https://docs.gokarla.io/docs/triggers/webhooks):
`*`, a source, a source with a phase, or a whole ref.
"""

from __future__ import annotations

from msgspec import Struct

from services.deliveries.domain.destination import State, Target

SOURCES = ("orders", "shipments", "claims")
EVERYTHING = "*"


class EventHead(Struct, frozen=True, gc=False):
    """What of an event decides who gets it."""

    shop: str
    source: str
    ref: str
    group: str | None
    is_notifying: bool
    is_snapshot: bool
    """It says how an order is, not what happened: only a filter with its whole ref gets it."""


def unknown_filters(filters: tuple[str, ...]) -> tuple[str, ...]:
    """The filters that can match no event: their source is none of SOURCES."""
    return tuple(
        each for each in filters if each != EVERYTHING and each.partition("/")[0] not in SOURCES
    )


def matches(target: Target, event: EventHead) -> bool:
    """Whether a destination with this target gets an event of its shop."""
    if target.only_notify and not event.is_notifying:
        return False
    if target.event_groups and event.group not in target.event_groups:
        return False
    return not patterns_of(event).isdisjoint(target.filters)


def patterns_of(event: EventHead) -> frozenset[str]:
    """The filters that an event matches: everything, the parts its ref begins with, its ref."""
    if event.is_snapshot:
        return frozenset((event.ref,))
    words = event.ref.split("/")
    return frozenset((EVERYTHING, *("/".join(words[:n]) for n in range(1, len(words) + 1))))


def receives(state: State) -> bool:
    """Whether events for a destination in this state are kept for it, or sent to it."""
    return state is not State.REMOVED
