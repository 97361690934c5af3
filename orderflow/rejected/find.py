"""Rejected items over all services: by filter, or by coordinates."""

from collections.abc import Sequence
from dataclasses import replace

from orderflow.console.audit_options import chosen_services, readers_of, spot_of
from orderflow.console.databases import opened, within_reach
from orderflow.console.terminal import CommandError
from orderflow.rejected.query import (
    OriginalBytes,
    RejectedFilter,
    RejectedItem,
    find,
    read_originals,
)
from services.runtime.config.settings import Settings

RESEND_ITEMS_MAX = 10_000


async def find_all(
    settings: Settings, services: Sequence[str], filters: RejectedFilter, limit: int
) -> list[RejectedItem]:
    """Rejected items of the services that have a database here, newest first."""
    found: list[RejectedItem] = []
    for service in within_reach(settings, services):
        async with opened(settings, service) as connection:
            found += await find(connection, service, filters, limit)
    return sorted(found, key=lambda item: item.rejected_at, reverse=True)[:limit]


async def choose(
    settings: Settings, named: Sequence[str], service: str | None, filters: RejectedFilter
) -> list[RejectedItem]:
    """The items that are named, or those that fit the filter.

    Raises:
        CommandError: a named item was not rejected, or too many fit.
    """
    if named:
        return [item for text in named for item in await find_at(settings, text, service)]
    found = await find_all(settings, chosen_services(service), filters, RESEND_ITEMS_MAX + 1)
    if len(found) > RESEND_ITEMS_MAX:
        raise CommandError(f"more than {RESEND_ITEMS_MAX:,} items fit: narrow it, as by --since")
    return found


async def find_at(settings: Settings, text: str, service: str | None) -> list[RejectedItem]:
    """The rejected items that `topic/partition/offset[#index]` names.

    Raises:
        CommandError: there is none; says what there is of the record.
    """
    spot = spot_of(text)
    at = spot.coordinates
    filters = RejectedFilter((at.topic,), at.partition, at.offset, spot.index)
    services = chosen_services(service) if service else readers_of(at.topic)
    found = await find_all(settings, services, filters, RESEND_ITEMS_MAX)
    if not found:
        others = await find_all(settings, services, replace(filters, index=None), RESEND_ITEMS_MAX)
        there = ", ".join(str(item.spot) for item in others) or "nothing of that record"
        raise CommandError(f"{text} was not rejected; rejected was {there}")
    return sorted(found, key=lambda item: (item.service, item.index))


async def with_bytes(
    settings: Settings, items: Sequence[RejectedItem]
) -> list[tuple[RejectedItem, OriginalBytes]]:
    """The items, each with what it came as."""
    whole: list[tuple[RejectedItem, OriginalBytes]] = []
    for service in dict.fromkeys(item.service for item in items):
        its = [item for item in items if item.service == service]
        async with opened(settings, service) as connection:
            originals = await read_originals(connection, its)
        whole += [(item, originals[item.coordinates, item.carrier]) for item in its]
    return whole
