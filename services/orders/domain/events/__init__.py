"""The events of a decision."""
