"""Composition of the stock service."""

from __future__ import annotations

from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import process_metrics
from services.runtime.service import Service

from .contract import STOCK_COMMANDS
from .handler import SERVICE, StockBatches


def build(settings: Settings) -> Service:
    """The stock service, ready to start."""
    metrics = process_metrics()
    batches = StockBatches(settings, metrics)
    return Service(
        name=SERVICE,
        settings=settings,
        topics=[STOCK_COMMANDS],
        apply=batches.apply,
        metrics=metrics,
    )
