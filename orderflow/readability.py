"""Whether a service can read a message, told by the service's own reader."""

from datetime import datetime

from services.analytics.arriving import read_batch
from services.claims import inbox
from services.orders.messages import incoming
from services.runtime.batches import Batch
from services.runtime.records import FieldError, Original
from services.runtime.rejections import Rejection


def flaws_in(service: str, original: Original, index: int, now: datetime) -> list[FieldError]:
    """What the service would refuse item `index` of the message for, before it decides."""
    refusals = _refusals(service, original, index, now)
    return [error for refusal in refusals for error in refusal.errors]


def _refusals(service: str, original: Original, index: int, now: datetime) -> list[Rejection]:
    if service == "claims":
        return inbox.read(Batch((original,), now)).refused
    if service == "analytics":
        return read_batch(Batch((original,), now)).refused
    entries = incoming.read(original, now, index)
    return [entry for entry in entries if isinstance(entry, Rejection)]
