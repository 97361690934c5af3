"""The gateway, composed."""

from __future__ import annotations

from services import registry
from services.gateway.service import GatewayService
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import process_metrics


def build(settings: Settings) -> GatewayService:
    """The gateway, ready to start; it takes each form of tracking that a service reads."""
    types: dict[str, str] = {}
    for name in registry.names():
        if path := registry.entry_of(name).senders:
            types |= registry.load(path)
    return GatewayService(settings, process_metrics(), types)
