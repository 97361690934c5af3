"""Names of the gateway in metrics, logs and the database."""

SERVICE = "gateway"
SHOP_SENDER = "shop"
"""Every shop, in metrics of senders; carriers are counted by the form that they send."""
PAGE_SENDER = "page"
"""Tracking pages of every shop, in metrics of senders."""
UNKNOWN_SENDER = "unknown"
