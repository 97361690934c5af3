"""Composition of the claims service."""

from __future__ import annotations

from schemas.topics import CLAIMS_COMMANDS, ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.claims.handler import SERVICE, ClaimBatches
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import process_metrics
from services.runtime.service import Service

TOPICS = (ORDERS_EVENTS, SHIPMENTS_EVENTS, CLAIMS_COMMANDS)


def build(settings: Settings) -> Service:
    """The claims service, ready to start."""
    metrics = process_metrics()
    batches = ClaimBatches(settings, metrics)
    return Service(
        name=SERVICE,
        settings=settings,
        topics=TOPICS,
        apply=batches.apply,
        sweep=batches.sweep,
        metrics=metrics,
    )
