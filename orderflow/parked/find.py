"""Parked items over all services: by filter, or by their place or where they lie."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orderflow.console.audit_options import Spot, chosen_services, readers_of, spot_of
from orderflow.console.databases import opened, within_reach
from orderflow.console.terminal import CommandError, WrongArgument
from services.runtime.batch.items import WHOLE, Parked, QueuePosition
from services.runtime.config.settings import Settings
from services.runtime.parking import queue
from services.runtime.parking import selection as selecting
from services.runtime.parking.selection import Neighbours, ParkedSelection

ITEMS_MAX = 1_000
NEIGHBOURS_SHOWN = 20
_PLACE = re.compile(r"(?P<id>\d{1,18})(\.(?P<nth>\d{1,9}))?")


@dataclass(frozen=True, slots=True)
class FoundItem:
    """A parked item, and the service that parked it."""

    service: str
    parked: Parked


def spot_named(parked: Parked) -> Spot:
    """Where it lies; without an index where a whole record is parked."""
    return Spot(parked.original.coordinates, None if parked.index == WHOLE else parked.index)


async def find_all(
    settings: Settings, services: Sequence[str], selection: ParkedSelection, limit: int
) -> list[FoundItem]:
    """Parked items of the services that have a database here, each service's in queue order."""
    found: list[FoundItem] = []
    for service in within_reach(settings, services):
        async with opened(settings, service) as connection:
            its = await selecting.find(connection, selection, limit - len(found))
        found += [FoundItem(service, each) for each in its]
    return found


async def count_all(settings: Settings, services: Sequence[str]) -> int:
    """How many items are parked."""
    total = 0
    for service in within_reach(settings, services):
        async with opened(settings, service) as connection:
            total += await queue.count(connection)
    return total


async def find_named(
    settings: Settings, names: Sequence[str], service: str | None
) -> Mapping[str, list[Parked]]:
    """The items that are named, by service, each once.

    Raises:
        CommandError: one is not parked.
        WrongArgument: a name is none, or means items of several services.
    """
    found: dict[str, dict[QueuePosition, Parked]] = {}
    for text in names:
        for held in await _find_one(settings, text, service):
            found.setdefault(held.service, {})[held.parked.position] = held.parked
    return {of: list(its.values()) for of, its in found.items()}


async def look_around(settings: Settings, held: FoundItem) -> Neighbours:
    """What an item stands behind, and what stands behind it."""
    async with opened(settings, held.service) as connection:
        return await selecting.neighbours(connection, held.parked.position, NEIGHBOURS_SHOWN)


async def _find_one(settings: Settings, text: str, service: str | None) -> list[FoundItem]:
    selection, services = _meant_by(text)
    asked = chosen_services(service) if service else services
    found = await find_all(settings, asked, selection, ITEMS_MAX)
    if not found:
        raise CommandError(f"{text} is not parked (any more): see `orderflow parked list`")
    owners = list(dict.fromkeys(held.service for held in found))
    if len(owners) > 1:
        raise WrongArgument(f"{text} is parked in {' and in '.join(owners)}: say --service")
    return found


def _meant_by(text: str) -> tuple[ParkedSelection, list[str]]:
    """What a place, or where a record lies, selects, and the services that may have it."""
    if place := _PLACE.fullmatch(text):
        at = QueuePosition(int(place["id"]), int(place["nth"] or 0))
        return ParkedSelection(positions=(at,)), chosen_services(None)
    if "/" not in text:
        raise WrongArgument(
            f"{text!r} names no item: write its place, such as 17, or topic/partition/offset#index"
        )
    spot = spot_of(text)
    at_ = spot.coordinates
    selection = ParkedSelection(
        topic=at_.topic, partition=at_.partition, offset=at_.offset, index=spot.index
    )
    return selection, readers_of(at_.topic)
