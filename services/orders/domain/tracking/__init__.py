"""Scans: how they add up to a shipment's state."""
