"""bpost: items of the tracking service (XML) and of the tracking page (JSON)."""
