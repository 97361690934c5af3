"""What one event says about an order, its parcels and its claims. Pure values and functions."""
