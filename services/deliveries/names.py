"""Names of the deliveries service."""

SERVICE = "deliveries"
SOURCE = "orderflow/deliveries"
SHARDS = 16
"""Shards of destinations, for good: rows keep theirs for days, so it does not follow a setting."""
