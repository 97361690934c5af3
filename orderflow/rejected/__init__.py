"""Rejected items: find, show, send again."""
