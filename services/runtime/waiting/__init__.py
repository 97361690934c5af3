"""Waiting items: they name an order, a claim or a tracking number that is not known yet."""
