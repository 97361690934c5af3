"""How the relay of a service reaches its servers, as the settings say."""

from __future__ import annotations

from functools import partial

from asyncpg import Connection

from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import make_marker_reader, make_producer
from services.runtime.kafka.topics import PUBLISHED
from services.runtime.outbox.delivery import AtLeastOnce, Delivery, ExactlyOnce
from services.runtime.outbox.markers import Markers
from services.runtime.outbox.relay import PublisherFactory
from services.runtime.postgres.connections import connect


def ways_of(settings: Settings, service: str) -> PublisherFactory:
    """At least once or exactly once (ORDERFLOW_PUBLICATION)."""
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
        return PublisherFactory(open_connection, together=None, alone=exactly_once)
    return PublisherFactory(open_connection, together=at_least_once, alone=at_least_once)


def transactional_id(settings: Settings, service: str, shard: int) -> str:
    """The id under which Kafka lets one relay publish a shard: the latest that started."""
    return f"{settings.consumer_group(service)}.outbox.{shard}"
