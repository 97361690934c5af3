"""Replays: events that are sent to a destination again, from kept bodies and from the topics."""
