"""Names of the gateway in metrics, logs and the database."""

SERVICE = "gateway"
SHOP_SENDER = "shop"
"""Every shop, in metrics of senders; carriers are counted by the form that they send."""
UNKNOWN_SENDER = "unknown"
