"""Composition of the orders service."""

from __future__ import annotations

from schemas.topics import CARRIER_TRACKING, CLAIMS_EVENTS, ORDERS_COMMANDS
from services.orders.campaign_reviews import CampaignReviews
from services.orders.handler import OrdersBatch
from services.orders.messages.decode import weigh
from services.orders.outcomes import SERVICE
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import process_metrics
from services.runtime.service import Service

TOPICS = (ORDERS_COMMANDS, CARRIER_TRACKING, CLAIMS_EVENTS)


def build(settings: Settings) -> Service:
    """The orders service, ready to start."""
    metrics = process_metrics()
    orders = OrdersBatch(settings, metrics)
    reviews = CampaignReviews(settings, metrics)
    return Service(
        name=SERVICE,
        settings=settings,
        topics=TOPICS,
        apply=orders.apply,
        sweep=orders.sweep,
        weigh=weigh,
        workers={"campaign_reviews": reviews.run, "campaign_gauges": reviews.measure},
        metrics=metrics,
    )
