"""Composition of the deliveries service."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from schemas.topics import CLAIMS_EVENTS, DELIVERIES_COMMANDS, ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.deliveries.domain.destination import Kind
from services.deliveries.gauges import measure_always
from services.deliveries.handler import DeliveryBatches
from services.deliveries.names import SERVICE
from services.deliveries.network.client import WebhookClient
from services.deliveries.network.feed import FeedClient
from services.deliveries.network.urls import rules_of, words_of
from services.deliveries.sending.request import Requests
from services.deliveries.sending.sender import Sender
from services.deliveries.sending.transports import FeedTransport, Transports, WebhookTransport
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import make_feed_producer
from services.runtime.observability.metrics import process_metrics
from services.runtime.running import WorkerContext
from services.runtime.service import Service

TOPICS = (ORDERS_EVENTS, SHIPMENTS_EVENTS, CLAIMS_EVENTS, DELIVERIES_COMMANDS)


def build(settings: Settings) -> Service:
    """The deliveries service, ready to start.

    Raises:
        SettingsError: the key of secrets, or where requests may go, cannot be read.
    """
    metrics = process_metrics()
    batches = DeliveryBatches(settings, metrics)
    requests = Requests(settings)

    open_client = client_opener(settings)

    def open_transports() -> Transports:
        feeds = FeedClient(partial(make_feed_producer, settings))
        return {
            Kind.WEBHOOK: WebhookTransport(requests, open_client()),
            Kind.FEED: FeedTransport(settings, feeds),
        }

    async def send(context: WorkerContext) -> None:
        await Sender(context, open_transports).run()

    return Service(
        name=SERVICE,
        settings=settings,
        topics=TOPICS,
        apply=batches.apply,
        prepare=batches.prepare,
        workers={"sender": send, "webhook_gauges": measure_always},
        metrics=metrics,
    )


def client_opener(settings: Settings) -> Callable[[], WebhookClient]:
    """What opens a client by the settings, in a running loop.

    Raises:
        SettingsError: where requests may go cannot be read.
    """
    rules, nameservers = rules_of(settings), words_of(settings.deliveries_nameservers)

    def open_client() -> WebhookClient:
        return WebhookClient(
            rules,
            connections=settings.deliveries_in_flight,
            nameservers=nameservers,
            ca_file=settings.deliveries_ca_file,
        )

    return open_client
