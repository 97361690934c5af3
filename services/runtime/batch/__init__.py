"""A batch of items, and how a failing batch is bisected."""
