"""Where the relay of a service gets connections and deliveries from, by the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from asyncpg import Connection

from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import make_marker_reader, make_producer
from services.runtime.kafka.topics import PUBLISHED
from services.runtime.outbox.delivery import AtLeastOnce, Delivery, ExactlyOnce
from services.runtime.outbox.markers import Markers
from services.runtime.postgres.connections import connect


@dataclass(frozen=True, slots=True)
class PublisherFactory:
    """Opens what shard publishers work with.

    `connect` opens a database connection for a purpose, a part of its `application_name`.
    `shared_delivery` publishes any number of shards with one producer; None in exactly-once mode,
    where each shard needs a producer of its own. `shard_delivery` publishes one shard.
    """

    connect: Callable[[str], Awaitable[Connection]]
    shared_delivery: Callable[[Connection], Delivery] | None
    shard_delivery: Callable[[Connection, int], Delivery]


def publisher_factory(settings: Settings, service: str) -> PublisherFactory:
    """Make the factory for the mode of ORDERFLOW_PUBLICATION: at least once or exactly once."""
    open_connection = partial(connect, settings, service)
    markers = Markers(service, settings.topic(PUBLISHED), lambda: make_marker_reader(settings))

    def at_least_once(connection: Connection, _shard: int = 0) -> Delivery:
        return AtLeastOnce(make_producer(settings), connection, settings.topic)

    def exactly_once(connection: Connection, shard: int) -> Delivery:
        return ExactlyOnce(
            make_producer(settings, transactional_id(settings, service, shard)),
            connection,
            settings.topic,
            markers=markers,
            shard=shard,
        )

    if settings.publication == "exactly_once":
        return PublisherFactory(open_connection, None, exactly_once)
    return PublisherFactory(open_connection, at_least_once, at_least_once)


def transactional_id(settings: Settings, service: str, shard: int) -> str:
    """The transactional id of a shard: Kafka fences every producer of it but the newest."""
    return f"{settings.consumer_group(service)}.outbox.{shard}"
