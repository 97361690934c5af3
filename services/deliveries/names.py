"""Names of the deliveries service."""

SERVICE = "deliveries"
SOURCE = "orderflow/deliveries"
