"""Tracking messages: one module per dialect, and code maps."""
