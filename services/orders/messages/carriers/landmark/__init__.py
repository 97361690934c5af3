"""Landmark Global: packages of the tracking service (XML)."""
