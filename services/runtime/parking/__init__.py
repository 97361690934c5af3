"""Parking: items that cannot be decided or written, with later items of their orders.

See docs/promises.md, P4.
"""
