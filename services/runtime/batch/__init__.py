"""A batch of items, and the search for the items that make a batch fail."""
