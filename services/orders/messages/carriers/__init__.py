"""Dialects of tracking messages: one module each, and the code maps of carriers.

A new dialect is a module with the members of `Dialect`, and its name in `DIALECTS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from services.orders.domain.model.commands import ReportTracking
from services.orders.messages.carriers import standard
from services.runtime.messages.records import Item
from services.runtime.twins import Reader


class Dialect(Protocol):
    """The members of a dialect module."""

    TYPE: str
    """Message type (`ce_type`) on carrier.tracking; each dialect has a different one."""
    READER: Reader[Any]
    """Decodes and checks a message's value."""
    SCAN_MARK: bytes
    """Bytes that stand once for each scan in a message; batches are bounded by their number."""

    def report(self, message: Any, item: Item, now: datetime) -> ReportTracking:
        """The command of a message that `READER` has read."""


DIALECTS: Sequence[Dialect] = (standard,)
"""All dialects; `messages/decode.py` reads what is listed here."""
