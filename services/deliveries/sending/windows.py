"""Windows: one for webhooks and one for feeds, each with bounds of its own. No I/O.

Records leave faster than requests; and while Kafka takes none, webhooks go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.deliveries.sending.window import Bounds, Row, Window
from services.runtime.config.settings import Settings


class Windows:
    """The deliveries that a process works on, of all kinds of destinations."""

    def __init__(self, of_webhooks: Window, of_feeds: Window) -> None:
        self._of_webhooks = of_webhooks
        self._of_feeds = of_feeds
        self._feeds: set[int] = set()

    def know_feeds(self, destinations: Iterable[int]) -> None:
        """These destinations are feeds. To be said before a row of theirs is admitted."""
        self._feeds.update(destinations)

    def of(self, destination: int) -> Window:
        """The window of a destination."""
        return self._of_feeds if destination in self._feeds else self._of_webhooks

    def shards_under_way(self) -> frozenset[int]:
        """Shards of the deliveries that are under way."""
        return self._of_webhooks.shards_under_way() | self._of_feeds.shards_under_way()

    def has_room(self) -> bool:
        """Whether further deliveries may begin; that of feeds counts where there are any."""
        return self._of_webhooks.has_room() or (bool(self._feeds) and self._of_feeds.has_room())

    def fresh_ids(self) -> list[int]:
        """Ids of the rows that are not of the backlog."""
        return self._of_webhooks.fresh_ids() + self._of_feeds.fresh_ids()

    def start(self) -> Iterator[Row]:
        """The rows to send now, within the bounds of each kind."""
        yield from self._of_webhooks.start()
        yield from self._of_feeds.start()

    def release(self, shards: frozenset[int]) -> None:
        """Forget the rows of other shards that are not under way."""
        self._of_webhooks.release(shards)
        self._of_feeds.release(shards)


def windows_of(settings: Settings) -> Windows:
    """Windows without any delivery, with the bounds that the settings say."""
    body_bytes, of_one = settings.deliveries_in_flight_bytes, settings.deliveries_in_flight_per_feed
    webhooks = Bounds(
        settings.deliveries_in_flight, settings.deliveries_in_flight_per_destination, body_bytes
    )
    # In memory is as much as is under way and as much again, and room for what is due.
    feeds = Bounds(
        settings.deliveries_in_flight_of_feeds, of_one, body_bytes, 2 * of_one, 3 * of_one
    )
    return Windows(Window(webhooks), Window(feeds))
