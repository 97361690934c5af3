"""Composition of the orders service."""

from __future__ import annotations

from services.orders.handler import OrdersBatch
from services.orders.messages.decode import CLAIM_EVENTS, COMMANDS, TRACKING, weigh
from services.orders.outcomes import SERVICE
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import process_metrics
from services.runtime.service import Service


def build(settings: Settings) -> Service:
    """The orders service, ready to start."""
    metrics = process_metrics()
    orders = OrdersBatch(settings, metrics)
    return Service(
        name=SERVICE,
        settings=settings,
        topics=[COMMANDS, TRACKING, CLAIM_EVENTS],
        apply=orders.apply,
        sweep=orders.sweep,
        weigh=weigh,
        metrics=metrics,
    )
