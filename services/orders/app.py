"""Composition of the orders service."""

from __future__ import annotations

from services.orders.batch import OrdersBatch
from services.orders.messages.incoming import CLAIM_EVENTS, COMMANDS, TRACKING, weigh
from services.orders.telling import SERVICE
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.telemetry import process_metrics


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
