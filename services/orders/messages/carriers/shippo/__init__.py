"""Shippo: its dialect, code set and carriers."""
