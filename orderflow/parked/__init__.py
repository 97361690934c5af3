"""Parked items: find, show, act on."""
