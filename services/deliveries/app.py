"""Composition of the deliveries service."""

from __future__ import annotations

from schemas.topics import CLAIMS_EVENTS, DELIVERIES_COMMANDS, ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.deliveries.handler import DeliveryBatches
from services.deliveries.names import SERVICE
from services.deliveries.network.client import WebhookClient
from services.deliveries.network.urls import rules_of, words_of
from services.deliveries.sending.sender import Sender
from services.runtime.config.settings import Settings
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

    def open_client() -> WebhookClient:
        return WebhookClient(
            rules_of(settings),
            connections=settings.deliveries_in_flight,
            nameservers=words_of(settings.deliveries_nameservers),
            ca_file=settings.deliveries_ca_file,
        )

    async def send(context: WorkerContext) -> None:
        await Sender(context, open_client).run()

    return Service(
        name=SERVICE,
        settings=settings,
        topics=TOPICS,
        apply=batches.apply,
        prepare=batches.prepare,
        workers={"sender": send},
        metrics=metrics,
    )
