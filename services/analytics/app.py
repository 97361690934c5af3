"""Composition root of the analytics service."""

from __future__ import annotations

from schemas.topics import CLAIMS_EVENTS, ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.analytics.batch import SERVICE, EventBatches
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.telemetry import process_metrics

TOPICS = (ORDERS_EVENTS, SHIPMENTS_EVENTS, CLAIMS_EVENTS)


def build(settings: Settings) -> Service:
    """The service, ready to be run; it reads the three event topics."""
    metrics = process_metrics()
    batches = EventBatches(settings, metrics)
    return Service(
        name=SERVICE, settings=settings, topics=TOPICS, apply=batches.apply, metrics=metrics
    )
