"""Canada Post: details and summaries of the tracking service (XML)."""
