"""Parking keys of the deliveries service: which order or destination an item is about."""

from __future__ import annotations

from uuid import UUID

from schemas.topics import DELIVERIES_COMMANDS
from services.deliveries.intake import CommandItem, EventItem, Intake
from services.deliveries.messages.decode import ReceivedCommand
from services.runtime.batch.items import ParkingCandidate, UnreadItem
from services.runtime.messages.records import Original
from services.runtime.parking.keys import parking_keys


def intake_keys(intake: Intake) -> set[str]:
    """The keys of all items of a batch."""
    return set().union(
        *(event_keys(each) for each in intake.events),
        *(command_keys(each.received) for each in intake.commands),
        *(_keys_of_key(each.original) for each in intake.unread),
    )


def event_candidate(event: EventItem) -> ParkingCandidate:
    """An event, with the key of its order."""
    return ParkingCandidate.of_record(event.original, 0, event_keys(event))


def command_candidate(command: CommandItem) -> ParkingCandidate:
    """A command, with the key of its shop's destinations."""
    read = command.received
    return ParkingCandidate(
        command.original, 0, read.item_id, read.type, command_keys(command.received)
    )


def unread_candidate(unread: UnreadItem) -> ParkingCandidate:
    """A record that is parked unread, with the key that the record's own key gives."""
    return ParkingCandidate.of_record(unread.original, unread.index, _keys_of_key(unread.original))


def event_keys(event: EventItem) -> frozenset[str]:
    """The key of the order that an event is about."""
    return parking_keys([event.received.order_id])


def command_keys(command: ReceivedCommand) -> frozenset[str]:
    """The key of the destinations of a command's shop, which are changed in one order."""
    return frozenset((f"destinations:{command.shop}",))


def _keys_of_key(original: Original) -> frozenset[str]:
    try:
        key = (original.key or b"").decode()
        if original.coordinates.topic == DELIVERIES_COMMANDS:
            return frozenset((f"destinations:{key}",)) if key else frozenset()
        return parking_keys([UUID(key)])
    except ValueError:  # Also raised for what is not UTF-8.
        return frozenset()
