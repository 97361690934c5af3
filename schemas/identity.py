"""Ids that follow from what they name, so that a replay gives the same ones (UUID version 5)."""

from __future__ import annotations

import unicodedata
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE = uuid5(NAMESPACE_URL, "https://orderflow.dev/ids")


def order_id(shop_slug: str, order_number: str) -> UUID:
    """Id of the order a shop knows by this number, in any Unicode form of it."""
    return uuid5(NAMESPACE, f"{shop_slug}/{unicodedata.normalize('NFC', order_number)}")


def shipment_id(order: UUID, ordinal: int) -> UUID:
    """Id of the order's shipment number `ordinal`, from 1; a draft keeps it when fulfilled."""
    return uuid5(NAMESPACE, f"{order}/shipment/{ordinal}")


def claim_id(order: UUID, opened_by: str) -> UUID:
    """Id of the claim that one command item opened; delivered twice, it opens one claim."""
    return uuid5(NAMESPACE, f"{order}/claim/{opened_by}")


def event_id(order: UUID, topic: str, sequence: int) -> UUID:
    """Id of the order's event number `sequence` on `claims.events`.

    Events of the orders service are named by what caused them: take their ids as they come.
    """
    return uuid5(NAMESPACE, f"{order}/event/{topic}/{sequence}")
