"""Hermes Germany: parcels with their statuses."""
