"""Parking keys of the analytics service: which order an event is about."""

from __future__ import annotations

from uuid import UUID

from services.analytics.domain.facts import ClaimEventFacts
from services.analytics.intake import Intake, ReadActivity, ReadEvent
from services.runtime.batch.items import ParkingCandidate, UnreadItem
from services.runtime.parking.keys import parking_keys


def intake_keys(intake: Intake) -> set[str]:
    """The keys of all events of a batch."""
    return set().union(*map(event_keys, intake.events), *map(unread_keys, intake.unread))


def event_candidate(event: ReadEvent) -> ParkingCandidate:
    """An event that was read, with the key of its order."""
    return ParkingCandidate.of_record(event.original, 0, event_keys(event))


def activity_candidate(activity: ReadActivity) -> ParkingCandidate:
    """An activity that was read. It has no key: no other item waits for it, and it for none."""
    return ParkingCandidate.of_record(activity.original, 0, frozenset())


def unread_candidate(unread: UnreadItem) -> ParkingCandidate:
    """A record that is parked unread, with the key of the order that the record's key names."""
    return ParkingCandidate.of_record(unread.original, unread.index, unread_keys(unread))


def event_keys(event: ReadEvent) -> frozenset[str]:
    """The key of the order that an event is about; none if the event has no facts."""
    facts = event.facts
    if facts is None:
        return frozenset()
    about = facts.claim if isinstance(facts, ClaimEventFacts) else facts.order
    return parking_keys([about.order_id])


def unread_keys(unread: UnreadItem) -> frozenset[str]:
    """The key of the order whose UUID is the record's key; none if that is not a UUID."""
    try:
        return parking_keys([UUID((unread.original.key or b"").decode())])
    except ValueError:  # Also raised for what is not UTF-8.
        return frozenset()
