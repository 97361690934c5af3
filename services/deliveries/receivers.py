"""Receivers: which destinations of a shop get an event, decoded once until one of them changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from services.deliveries import store
from services.deliveries.domain.filters import EventHead, matches, patterns_of
from services.deliveries.store import Receiver
from services.runtime.postgres.connections import Connection

KEPT_MAX = 20_000
"""So many destinations stay decoded between batches; beyond, the shop asked for first goes."""


class ShopReceivers:
    """The destinations of one shop by their filters: an event finds its own without the others.

    `weight` is what they take in memory, counted in destinations; `forms` are those that they get.
    """

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self.weight = 1 + len(receivers)
        self.forms = frozenset(each.target.form for each in receivers)
        self._by_filter: dict[str, list[Receiver]] = {}
        for receiver in receivers:
            for each in receiver.target.filters:
                self._by_filter.setdefault(each, []).append(receiver)

    def of(self, event: EventHead) -> tuple[int, ...]:
        """The ids of the destinations that get an event, in the order of the ids."""
        found = {
            receiver.id
            for pattern in patterns_of(event)
            for receiver in self._by_filter.get(pattern, ())
            if matches(receiver.target, event)
        }
        return tuple(sorted(found))


class Receivers:
    """Destinations of shops, kept between batches.

    Each batch asks for a version of its shops in its own transaction, and reads those again that
    have another one. What a rolled back transaction wrote has a version that no other has.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, ShopReceivers]] = {}
        self._weight = 0

    async def find(
        self, connection: Connection, shops: Collection[str]
    ) -> Mapping[str, ShopReceivers]:
        """The destinations of these shops that are not removed, by shop."""
        versions = await store.find_versions(connection, shops)
        found = {
            shop: self._kept[shop][1]
            for shop, version in versions.items()
            if shop in self._kept and self._kept[shop][0] == version
        }
        missing = versions.keys() - found.keys()
        stored = await store.find_receivers(connection, missing)
        found |= {shop: ShopReceivers(stored.get(shop, ())) for shop in missing}
        for shop, receivers in found.items():
            self._forget(shop)
            self._kept[shop] = (versions[shop], receivers)
            self._weight += receivers.weight
        while self._weight > KEPT_MAX:
            self._forget(next(iter(self._kept)))
        return found

    def _forget(self, shop: str) -> None:
        if shop in self._kept:
            self._weight -= self._kept.pop(shop)[1].weight
