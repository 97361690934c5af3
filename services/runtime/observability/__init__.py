"""Metrics, logs and health over HTTP."""
