"""Messages from a file, sent."""
