"""Dialects of tracking messages: one module each, and the code maps of carriers.

A dialect module has `report(message, item, now)`, which builds the command, and `SCAN_MARK`: bytes
that stand once for each scan in a message of the dialect, by which batches are bounded.
"""

from services.orders.messages.carriers import standard

DIALECTS = (standard,)
"""All dialects; a new one is added here."""
