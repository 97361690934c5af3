"""The values that decisions take and return."""
