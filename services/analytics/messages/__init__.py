"""Messages of the analytics service, decoded."""
