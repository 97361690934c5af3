"""Composition of the analytics service."""

from __future__ import annotations

from schemas.topics import CLAIMS_EVENTS, ORDERS_EVENTS, PORTAL_ACTIVITY, SHIPMENTS_EVENTS
from services.analytics import figures
from services.analytics.handler import SERVICE, EventBatches
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import process_metrics
from services.runtime.service import Service

TOPICS = (ORDERS_EVENTS, SHIPMENTS_EVENTS, CLAIMS_EVENTS, PORTAL_ACTIVITY)


def build(settings: Settings) -> Service:
    """The analytics service, ready to start."""
    metrics = process_metrics()
    batches = EventBatches(settings, metrics)
    return Service(
        name=SERVICE,
        settings=settings,
        topics=TOPICS,
        apply=batches.apply,
        workers={"figures": figures.measure_always},
        metrics=metrics,
    )
