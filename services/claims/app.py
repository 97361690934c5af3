"""Composition root of the claims service."""

from __future__ import annotations

from schemas.topics import CLAIMS_COMMANDS, ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.claims.batch import SERVICE, ClaimBatches
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.telemetry import process_metrics

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
